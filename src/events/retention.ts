import { delay, GroundswellError, jittered } from '../core/index.ts'
import type { Cluster, Shard } from '../data/index.ts'
import { eventsMissed, periodsChanged } from './channels.ts'
import { dropPeriod, expiredPeriods, extendLog, missedEvents, shortenLog } from './engines/postgres-periods.ts'
import { eventsError } from './errors.ts'
import {
  PERIOD_AHEAD_MS_MIN,
  PERIOD_DROP_ATTEMPTS,
  PERIOD_DROP_LOCK_MS,
  PERIOD_DROP_PAUSE_MS,
  PERIOD_MS_MIN,
  PERIODS_PER_RETENTION,
  RETENTION_MS,
} from './limits.ts'

/** How long the log keeps events, and in which pieces it drops them. */
export type Retention = {
  /** Events stay at least so long, and at most a period longer. */
  readonly retentionMs: number
  readonly periodMs: number
  /** How far ahead periods exist, for when nobody adds any for a while: without one, nothing can be written. */
  readonly aheadMs: number
}

/** The pieces that suit a retention: few, since each query of the log looks into all of them. */
export function retentionOf(retentionMs: number = RETENTION_MS): Retention {
  const periodMs = Math.max(PERIOD_MS_MIN, Math.ceil(retentionMs / PERIODS_PER_RETENTION))
  return { retentionMs, periodMs, aheadMs: Math.max(PERIOD_AHEAD_MS_MIN, 2 * periodMs) }
}

/** How often `keepLog` is to run. */
export function keepLogIntervalMs({ periodMs }: Retention): number {
  return Math.ceil(periodMs / 2)
}

/** Makes the periods that are to come. Must come before the first event of a process. Idempotent. */
export async function prepareLog(cluster: Cluster, retention: Retention): Promise<void> {
  await Promise.all(cluster.shards.map((shard) => makePeriods(shard, retention)))
}

/**
 * Adds the periods that are to come and drops those that are too old, on every shard; rejects with the first failure
 * once all shards had their turn. Any number of processes may do it at once.
 */
export async function keepLog(cluster: Cluster, retention: Retention): Promise<void> {
  const outcomes = await Promise.allSettled(cluster.shards.map((shard) => keepShard(shard, retention)))
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
}

async function keepShard(shard: Shard, retention: Retention): Promise<void> {
  const added = await makePeriods(shard, retention)
  let dropped = 0
  for (const period of await expiredPeriods(shard, retention.retentionMs)) {
    // Those that follow it are younger, and their events come after its.
    if (!(await whenFree(() => dropPeriod(shard, period, PERIOD_DROP_LOCK_MS)))) break
    dropped += 1
  }
  if (added + dropped > 0) periodsChanged.publish({ shard: shard.index, added, dropped })
  if (dropped === 0) return
  for (const missed of await missedEvents(shard)) eventsMissed.publish({ shard: shard.index, ...missed })
}

/** Those that are to come, and shorter ones if they were made for a longer retention. Answers how many it added. */
async function makePeriods(shard: Shard, retention: Retention): Promise<number> {
  const anew = (await whenFree(() => shortenLog(shard, retention, PERIOD_DROP_LOCK_MS))) ?? 0
  return anew + (await extendLog(shard, retention))
}

/**
 * Undefined if a lock cannot be had: a transaction that is left open keeps its own for as long as it likes, and then it
 * is for the next round.
 */
async function whenFree<Answer>(run: () => Promise<Answer>): Promise<Answer | undefined> {
  for (let attempt = 1; attempt <= PERIOD_DROP_ATTEMPTS; attempt++) {
    try {
      return await run()
    } catch (error) {
      if (!(error instanceof GroundswellError) || error.code !== 'DATA_CONFLICT') throw error
      await delay(jittered(PERIOD_DROP_PAUSE_MS))
    }
  }
  return undefined
}

/** A group, or the forwarder, and what gets it past a gap that retention made. */
export type Reading = {
  readonly group: string
  readonly topics: { has(topic: string): boolean }
  /** The command without its first word. */
  readonly remedy: string
}

/** Throws EVENTS_OFFSET_EXPIRED when events of a shard were dropped before the group had processed them. */
export async function assertNothingMissed(source: Shard, { group, topics, remedy }: Reading): Promise<void> {
  const missed = (await missedEvents(source)).filter((one) => one.group === group && topics.has(one.topic))
  if (missed.length === 0) return
  const list = missed.map(({ topic, events }) => `${events} of ${topic}`).join(', ')
  throw eventsError(
    'EVENTS_OFFSET_EXPIRED',
    `${group} has missed events of shard ${source.index} that retention dropped: ${list}; to go on without them: groundswell ${remedy}`,
    { details: { shard: source.index, group, missed } },
  )
}
