import { type Facts, facts } from '../core/index.ts'

/** The sequencer moved `events` events in `segments` segments from a shard's outbox to its log. */
export const appended = facts<{ shard: number; segments: number; events: number; durationMs: number }>(
  'events.appended',
)

/** A consumer group committed the effects of `events` events; `oldestAtMs` is when the first of them was written. */
export const delivered = facts<{
  group: string
  source: number
  target: number
  events: number
  durationMs: number
  oldestAtMs: number
}>('events.delivered')

export type EmittedFact = { readonly payload: unknown; readonly occurredAtMs: number }

const emittedByTopic = new Map<string, Facts<EmittedFact>>()

/** Committed events of one topic that this process wrote. A channel a topic, since few topics have listeners. */
export function emittedOf(topic: string): Facts<EmittedFact> {
  const known = emittedByTopic.get(topic) ?? facts<EmittedFact>(`events.emitted.${topic}`)
  emittedByTopic.set(topic, known)
  return known
}

/** An event was parked or failed again: it will be tried again, or it is a dead letter. */
export const parked = facts<{
  group: string
  topic: string
  id: string
  key: string
  traceparent: string
  state: 'retrying' | 'dead'
  attempts: number
  error: string
}>('events.parked')

/** A lease (`sequencer` or `group:<name>`) of a shard came to this process or left it. */
export const leaseChanged = facts<{ shard: number; name: string; held: boolean; epoch: number }>('events.lease')

/** Work on a shard failed for a reason that is no event's fault, and is repeated after `retryInMs`. */
export const workFailed = facts<{ shard: number; part: string; error: unknown; retryInMs: number }>('events.failed')
