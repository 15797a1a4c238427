import { InvalidArgumentError } from 'commander'
import { systemClock } from '../core/index.ts'

/**
 * Parsers of command-line values. What they refuse ends the command with exit code 2 and a line that names the flag.
 */

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** `500ms`, `30s`, `2m`, `1h`, or a number of seconds; in milliseconds. */
export function duration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text)
  const milliseconds = Number(match?.[1]) * (UNITS_MS[match?.[2] ?? 's'] ?? Number.NaN)
  if (!(milliseconds > 0)) throw new InvalidArgumentError('It must be a duration like 30s, 500ms or 2m.')
  return milliseconds
}

/** A positive number. */
export function rate(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!(value > 0)) throw new InvalidArgumentError('It must be a number greater than 0.')
  return value
}

/** A whole number from 1. */
export function count(text: string): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= 1)) throw new InvalidArgumentError('It must be a whole number of 1 or more.')
  return value
}

/** `a,b,c`, without empty names. May be given several times. */
export function names(text: string, before: readonly string[] = []): readonly string[] {
  const found = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  if (found.length === 0) throw new InvalidArgumentError('It must be names separated by commas.')
  return [...before, ...found]
}

/** `name=value`. May be given several times. */
export function setting(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('It must be name=value.')
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}

/** An http:// URL without a path, query or slash at the end, for what speaks no TLS. */
export function plainBaseUrl(text: string): string {
  return urlOf(text, ['http:'])
}

/** The same, or https://. */
export function baseUrl(text: string): string {
  return urlOf(text, ['http:', 'https:'])
}

function urlOf(text: string, protocols: readonly string[]): string {
  const url = URL.parse(text)
  if (url === null || !protocols.includes(url.protocol) || url.search !== '') {
    const others = protocols.includes('https:') ? ', or with https://' : ''
    throw new InvalidArgumentError(`It must be a URL like http://127.0.0.1:8000${others}.`)
  }
  return text.replace(/\/$/, '')
}

/** The name of an image with a tag or digest that says which one it is. */
export function image(text: string): string {
  if (!/^[a-z0-9][\w./:-]*(:[\w.-]+|@sha256:[0-9a-f]{64})$/.test(text) || text.endsWith(':latest')) {
    throw new InvalidArgumentError('It must name a version, like registry.example.com/shop:1.4.0; latest is none.')
  }
  return text
}

/** Whole numbers from 0 are integer keys, everything else is text. */
export function shardingKey(text: string): number | string {
  if (!/^(0|[1-9]\d*)$/.test(text)) return text
  const id = Number(text)
  if (!Number.isSafeInteger(id)) throw new InvalidArgumentError('Integer keys go up to 2^53 - 1; --text makes it text.')
  return id
}

export type Start =
  | { readonly kind: 'earliest' | 'latest' }
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'time'; readonly time: Date }

/** From where to read: `earliest`, `latest`, an offset, a time like 2026-11-25T18:00:00Z, or a duration ago like 2h. */
export function start(text: string): Start {
  if (text === 'earliest' || text === 'latest') return { kind: text }
  if (/^\d{1,15}$/.test(text)) return { kind: 'offset', offset: Number(text) }
  if (/^\d+(\.\d+)?(ms|s|m|h)$/.test(text)) {
    return { kind: 'time', time: new Date(systemClock.now() - duration(text)) }
  }
  const time = new Date(text)
  if (!/^\d{4}-\d\d-\d\dT/.test(text) || Number.isNaN(time.getTime())) {
    throw new InvalidArgumentError(
      'It must be earliest, latest, an offset, a time like 2026-11-25T18:00:00Z, or like 2h.',
    )
  }
  return { kind: 'time', time }
}

/** A whole number from 0. */
export function index(text: string): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= 0)) throw new InvalidArgumentError('It must be a whole number of 0 or more.')
  return value
}

/** The id of an event. */
export function uuid(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) {
    throw new InvalidArgumentError('It must be an event id, as `groundswell events dlq` shows it.')
  }
  return text
}
