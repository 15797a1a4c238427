import { delay, type EventEnvelope } from '../core/index.ts'
import type { Cluster, Shard } from '../data/index.ts'
import { readHeads, readLog } from './engines/postgres-log.ts'
import { loadPositions } from './engines/postgres-positions.ts'
import { FOLLOW_EVENTS_MAX, FOLLOW_POLL_MS } from './limits.ts'
import { decodeSegment } from './segment.ts'

export type FollowOptions = {
  readonly topic: string
  /** Begins with what this group has not processed yet, instead of with what is yet to come. */
  readonly group?: string
  /** Only events of this key. */
  readonly key?: string
  /** Ends it. */
  readonly signal: AbortSignal
}

/** An event as somebody looks at it. */
export type FollowedEvent = EventEnvelope & { readonly shard: number; readonly offset: number }

/**
 * The events of a topic as they come to the log, of all shards: in order on each, by time within one look. For people:
 * it holds no lease and no position, asks the databases several times a second, and skips what retention drops before
 * it was looked at.
 */
export async function* follow(cluster: Cluster, options: FollowOptions): AsyncGenerator<FollowedEvent> {
  const { topic, key, signal } = options
  const next = await Promise.all(cluster.shards.map((shard) => beginningOn(shard, options)))
  while (!signal.aborted) {
    const read = await Promise.all(cluster.shards.map((shard, index) => readFrom(shard, topic, next[index] ?? 0)))
    for (const [index, events] of read.entries()) next[index] = (events.at(-1)?.offset ?? (next[index] ?? 0) - 1) + 1
    const events = read.flat().sort((a, b) => a.occurredAtMs - b.occurredAtMs)
    for (const event of events) if (key === undefined || event.key === key) yield event
    if (events.length === 0) await delay(FOLLOW_POLL_MS, signal)
  }
}

async function beginningOn(shard: Shard, { topic, group }: FollowOptions): Promise<number> {
  if (group === undefined) return (await readHeads(shard)).get(topic) ?? 0
  return (await loadPositions(shard, { group, source: shard.index })).get(topic) ?? 0
}

async function readFrom(shard: Shard, topic: string, offset: number): Promise<FollowedEvent[]> {
  const segments = await readLog(shard, new Map([[topic, offset]]), FOLLOW_EVENTS_MAX)
  return segments
    .flatMap(decodeSegment)
    .filter((event) => event.offset >= offset)
    .map((event) => ({ ...event.envelope, shard: shard.index, offset: event.offset }))
}
