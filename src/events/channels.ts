import { type Facts, facts } from '../core/index.ts'

/** Work on one event whose trace is kept. */
export type TracedEvent = {
  readonly topic: string
  /** Names the span of this work, and the span that emitted the event. */
  readonly traceparent: string
  readonly parent: string
  readonly durationMs: number
}

/**
 * The sequencer moved `events` events in `segments` segments from a shard's outbox to its log. Those in `traced` were
 * in the outbox for `durationMs` each.
 */
export const appended = facts<{
  shard: number
  segments: number
  events: number
  durationMs: number
  traced: readonly TracedEvent[]
}>('events.appended')

/** Timers of a shard that were due became `events` events, the first of them `lateMs` after its time. */
export const timersReleased = facts<{ shard: number; events: number; lateMs: number }>('events.timers-released')

/** Housekeeping added `added` periods to a shard's log ahead of their time and dropped `dropped` that were too old. */
export const periodsChanged = facts<{ shard: number; added: number; dropped: number }>('events.periods-changed')

/**
 * Retention dropped `events` events before a group had processed them. Told in each round that drops something, until
 * an operator moves the group on.
 */
export const eventsMissed = facts<{ shard: number; group: string; topic: string; events: number }>('events.missed')

/**
 * A consumer group committed the effects of `events` events; `oldestAtMs` is when the first of them was written. Those
 * in `traced` took `durationMs` each, from the beginning of the batch's calls to its commit.
 */
export const delivered = facts<{
  group: string
  source: number
  target: number
  events: number
  durationMs: number
  oldestAtMs: number
  traced: readonly TracedEvent[]
}>('events.delivered')

/** Of what a group was about to deliver, `events` were replays, `skipped` of them for consumers that skip those. */
export const replayed = facts<{ group: string; source: number; events: number; skipped: number }>('events.replayed')

/** A worker moved its group to `offset` of a topic of a shard, as an operator asked; it had come to `before`. */
export const replayBegan = facts<{ group: string; shard: number; topic: string; offset: number; before: number }>(
  'events.replay-began',
)

/** This process learned that a group was paused on a shard, or resumed. */
export const groupPaused = facts<{ group: string; shard: number; paused: boolean }>('events.group-paused')

/** A call that a consumer made for an event whose trace is kept was answered, or failed. */
export const called = facts<TracedEvent & { readonly group: string; readonly failed: boolean }>('events.called')

export type EmittedFact = { readonly payload: unknown; readonly occurredAtMs: number }

const emittedByTopic = new Map<string, Facts<EmittedFact>>()

/** Committed events of one topic that this process wrote. A channel a topic, since few topics have listeners. */
export function emittedOf(topic: string): Facts<EmittedFact> {
  const known = emittedByTopic.get(topic) ?? facts<EmittedFact>(`events.emitted.${topic}`)
  emittedByTopic.set(topic, known)
  return known
}

/**
 * An event was parked or failed again: it will be tried again, or it is a dead letter. `traceparent` names the group's
 * span, `parent` that of the emitter; they are the same where the trace is not kept. `error` is what people read,
 * `thrown` what a handler or a call threw.
 */
export const parked = facts<{
  group: string
  topic: string
  id: string
  key: string
  traceparent: string
  parent: string
  durationMs: number
  state: 'retrying' | 'dead'
  attempts: number
  error: string
  thrown?: unknown
}>('events.parked')

/** A lease (`sequencer` or `group:<name>`) of a shard came to this process or left it. */
export const leaseChanged = facts<{ shard: number; name: string; held: boolean; epoch: number }>('events.lease')

/** Events of a shard's log are in the broker, and the shard's position says so. */
export const forwarded = facts<{ shard: number; events: number; durationMs: number }>('events.forwarded')

/**
 * Work on a shard, -1 where it concerns all, failed for a reason that is no event's fault, and is repeated after
 * `retryInMs`.
 */
export const workFailed = facts<{ shard: number; part: string; error: unknown; retryInMs: number }>('events.failed')

/**
 * A group's reader of its broker was given up for another one: it was silent although there was lag, or the broker went
 * on behind a gap.
 */
export const readerRestarted = facts<{ group: string; reason: 'stalled' | 'gap' }>('events.reader-restarted')

/**
 * In a stream of the shard `source` a group has come to `reached`, and its broker goes on at `after`: what lies between
 * is lost there, and the group waits. Told at each attempt; and once with `isOpen` false, when the group is past it, or
 * another process has the partition.
 */
export const gapMet = facts<{
  group: string
  source: number
  topic: string
  stream: string
  reached: number
  after: number
  isOpen: boolean
}>('events.gap-met')

/** A broker asked its publishers to wait, for want of memory or disk, or lets them go on. */
export const brokerBlocked = facts<{ broker: string; blocked: boolean; reason: string }>('events.broker-blocked')

/**
 * An event answers a saga that this shard has not begun, or whose journal is full. It is passed over: answers of other
 * processes, and of times before the saga was declared, come by the same topics.
 */
export const sagaMissed = facts<{ saga: string; id: string; topic: string; shard: number }>('events.saga-missed')
