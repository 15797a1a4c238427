import type { LagChange } from './lag-watch.ts'
import type { LatencyChange } from './latency-watch.ts'

/** How a latency is called. */
export type LatencySubject = {
  /** `POST /orders`, `order placed to shipped` or `payment-service`. */
  readonly name: string
  readonly kind: 'route' | 'journey' | 'consumers'
}

const SAMPLES = { route: 'requests', journey: 'journeys', consumers: 'batches of events' } as const

export function latencySentence(
  subject: LatencySubject,
  { rise, sinceMs }: Extract<LatencyChange, { kind: 'rose' }>,
): string {
  const percent = number((rise.recent / rise.usual - 1) * 100)
  const change = `rose by ${percent} %, from ${duration(rise.usual / 1_000)} to ${duration(rise.recent / 1_000)}`
  const counts = `${number(rise.recentCount)} ${SAMPLES[subject.kind]} against ${number(rise.usualCount)} before`
  return `P99 of ${latencyName(subject)} ${change}, since ${timeOfDay(sinceMs)} (${counts}).`
}

export function latencyEndSentence({ how, p99 }: Extract<LatencyChange, { kind: 'ended' }>, atMs: number): string {
  if (how === 'silent') return `Nothing was measured in the five minutes up to ${timeOfDay(atMs)}.`
  const level = duration(p99 / 1_000)
  return how === 'back'
    ? `Back at ${level} at ${timeOfDay(atMs)}.`
    : `Still ${level} after an hour, which counts as usual from ${timeOfDay(atMs)} on.`
}

export function lagSentence(
  { topic, group }: { readonly topic: string; readonly group: string },
  { growth, sinceMs }: Extract<LagChange, { kind: 'grew' }>,
): string {
  const { fromSeconds, toSeconds, messages, messagesPerSecond: pace } = growth
  const grew = `grew from ${duration(fromSeconds * 1_000)} to ${duration(toSeconds * 1_000)}`
  const waiting = `${number(messages)} ${messages === 1 ? 'event waits' : 'events wait'}`
  const rate = `${number(Math.abs(pace))} a second`
  const moves = pace === 0 ? '' : pace > 0 ? `, ${rate} more than are consumed` : `, only ${rate} fewer than before`
  return `Lag of ${readerName(group)} on ${topic} ${grew}, since ${timeOfDay(sinceMs)}; ${waiting}${moves}.`
}

/** The group that forwards the log to a broker, as metrics name it: nothing else tells people what it is. */
const FORWARDER = '~broker'

function readerName(group: string): string {
  return group === FORWARDER ? 'the forwarder to the broker' : group
}

/** Follows what is said of an alert that fires. */
export function lagSilentSentence(sinceMs: number): string {
  return `Nobody has reported this lag since ${timeOfDay(sinceMs)}, so that it may be larger by now.`
}

export function lagEndSentence(how: 'gone' | 'steady' | 'unreported', seconds: number, atMs: number): string {
  const level = duration(seconds * 1_000)
  if (how === 'gone') return `Down to ${level} at ${timeOfDay(atMs)}.`
  if (how === 'unreported') return `No longer watched from ${timeOfDay(atMs)} on, since nobody reports it.`
  return `It stopped growing, at ${level}, by ${timeOfDay(atMs)}.`
}

function latencyName({ name, kind }: LatencySubject): string {
  return kind === 'consumers' ? `the time until ${name} has applied an event` : name
}

/** `0.8 ms`, `41 ms`, `1.24 s`: three digits say all that a histogram knows. */
export function duration(ms: number): string {
  if (ms < 10) return `${number(ms, 1)} ms`
  return ms < 999.5 ? `${number(ms)} ms` : `${number(ms / 1_000, ms < 10_000 ? 2 : 1)} s`
}

export function number(value: number, digits = 0): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: digits })
}

function timeOfDay(ms: number): string {
  return `${new Date(ms).toISOString().slice(11, 19)} UTC`
}
