import { systemClock } from '../core/index.ts'
import type { Exchange } from './exchange.ts'

/** One attempt at a target, for plugins that tell of them. */
export type Attempt = {
  /** The host's name instead, where a name was asked for and no answer came. */
  ip: string
  readonly port: number
  /** Milliseconds since 1970. */
  readonly startedAtMs: number
  /** What it took to choose the target. */
  readonly choosingMs: number
  /** What its client would be told, had it been the last; undefined unless it failed. */
  failedStatus: number | undefined
}

/** An attempt at a target that was being chosen since `sinceMs`, of `performance.now()`. */
export function beginAttempt(exchange: Exchange, place: { ip: string; port: number }, sinceMs: number): void {
  if (exchange.chain?.tellsAttempts !== true) return
  push(exchange, { ip: place.ip, port: place.port, choosingMs: performance.now() - sinceMs })
}

/** An attempt at the one place of a service. */
export function beginAttemptAt(exchange: Exchange, origin: string): void {
  if (exchange.chain?.tellsAttempts !== true) return
  const { hostname, port, protocol } = new URL(origin)
  const ip = hostname.replace(/^\[|\]$/g, '')
  push(exchange, { ip, port: Number(port) || (protocol === 'https:' ? 443 : 80), choosingMs: 0 })
}

/** The last attempt failed, in such a way that its client would get `status`. What is said first holds. */
export function failAttempt({ attempts }: Exchange, status: number): void {
  const last = attempts?.at(-1)
  if (last !== undefined) last.failedStatus ??= status
}

function push(exchange: Exchange, begun: Pick<Attempt, 'ip' | 'port' | 'choosingMs'>): void {
  exchange.attempts ??= []
  exchange.attempts.push({ ...begun, startedAtMs: systemClock.now(), failedStatus: undefined })
}
