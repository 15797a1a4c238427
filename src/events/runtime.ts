import { newId, type StopOptions, untilDeadline } from '../core/index.ts'
import type { OpenCluster } from '../data/index.ts'
import { assertSequenceUncached } from './engines/postgres-log.ts'
import { ATTEMPTS_MAX, RETRY_BACKOFF_MS_MAX, RETRY_BACKOFF_MS_MIN } from './limits.ts'
import { type GroupDeclaration, groupsOf } from './plan.ts'
import { ShardEvents } from './shard-events.ts'
import { onOutboxWritten } from './signals.ts'
import type { RetryPolicy } from './target.ts'

export type EventsOptions = {
  readonly cluster: OpenCluster
  /** Consumer groups that this process may work for: one per service, by the service's name. */
  readonly groups: readonly GroupDeclaration[]
  /** Who this process is, for people who look at leases. */
  readonly owner: string
  /** Whether this process competes for sequencing the shards. */
  readonly sequence: boolean
  /** Attempts of a parked event before it is a dead letter (default 15), and the pauses between them. */
  readonly retry?: Partial<RetryPolicy>
}

export type EventsRuntime = {
  /** Finishes batches under way, gives leases back; at the deadline, external calls are aborted. Idempotent. */
  stop(options: StopOptions): Promise<void>
}

const RETRY: RetryPolicy = {
  attemptsMax: ATTEMPTS_MAX,
  backoff: { minMs: RETRY_BACKOFF_MS_MIN, maxMs: RETRY_BACKOFF_MS_MAX },
}

/**
 * Starts sequencing and delivery on every shard. Resolves when this process has competed for all leases once: alone, it
 * then holds them all. Throws EVENTS_OUTBOX_SEQUENCE_CACHED, EVENTS_GROUP_INVALID.
 */
export async function startEvents(options: EventsOptions): Promise<EventsRuntime> {
  const { cluster, sequence } = options
  const retry = { ...RETRY, ...options.retry }
  const groups = groupsOf(options.groups).filter((group) => group.consumers.size > 0)
  await Promise.all(cluster.shards.map((shard) => assertSequenceUncached(shard, shard.label)))
  // Leases know their holder by this text alone: a process started again under the same name must not take itself for
  // the old one.
  const owner = `${options.owner}#${newId()}`
  const shards = cluster.shards.map((shard) => new ShardEvents({ cluster, shard, groups, owner, sequence, retry }))
  const unsubscribe = onOutboxWritten((shard) => shards[shard]?.outboxWritten())
  const stopAll = async (stop: StopOptions) => {
    unsubscribe()
    const stopped = Promise.allSettled(shards.map((shard) => shard.stop()))
    if ((await untilDeadline(stopped, stop)) === 'late') for (const shard of shards) shard.abort()
    for (const outcome of await stopped) if (outcome.status === 'rejected') throw outcome.reason
  }
  let stopping: Promise<void> | undefined
  const stop = (stopOptions: StopOptions) => {
    stopping ??= stopAll(stopOptions)
    return stopping
  }
  try {
    await Promise.all(shards.map((shard) => shard.start()))
  } catch (error) {
    await stop({ deadlineAtMs: 0 }).catch((cause: unknown) => {
      throw new AggregateError([error, cause])
    })
    throw error
  }
  return { stop }
}
