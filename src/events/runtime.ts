import { newId, type StopOptions, systemClock, untilDeadline } from '../core/index.ts'
import type { OpenCluster } from '../data/index.ts'
import type { Broker, BrokerUse } from './broker.ts'
import { BrokerLink } from './broker-link.ts'
import { BrokerWorker } from './broker-worker.ts'
import { assertSequenceUncached } from './engines/postgres-log.ts'
import { FORWARDER } from './engines/postgres-positions.ts'
import { eventsError } from './errors.ts'
import { Forwarder } from './forwarder.ts'
import { ABORTED_STOP_MS, ATTEMPTS_MAX, RETRY_BACKOFF_MS_MAX, RETRY_BACKOFF_MS_MIN } from './limits.ts'
import { leaveBroker } from './operations.ts'
import { type Group, type GroupDeclaration, groupsOf } from './plan.ts'
import { RetryWorker } from './retry-worker.ts'
import { type LeasedWork, leaseOf, ShardEvents } from './shard-events.ts'
import { onOutboxWritten } from './signals.ts'
import type { RetryPolicy } from './target.ts'
import { GroupWorker } from './worker.ts'

export type EventsOptions = {
  readonly cluster: OpenCluster
  /** Consumer groups that this process may work for: one per service, by the service's name. */
  readonly groups: readonly GroupDeclaration[]
  /** Who this process is, for people who look at leases. */
  readonly owner: string
  /** Whether this process competes for sequencing the shards, and for forwarding them to a broker. */
  readonly sequence: boolean
  /** Attempts of a parked event before it is a dead letter (default 15), and the pauses between them. */
  readonly retry?: Partial<RetryPolicy>
  /** Where groups read from instead of the log; closed by whoever opened it, after the stop. */
  readonly broker?: BrokerUse | undefined
}

export type EventsRuntime = {
  /**
   * Finishes batches under way, gives leases back; at the deadline, external calls are aborted. Throws
   * EVENTS_STOP_GIVEN_UP, soon after the deadline, when a handler does not end. Idempotent.
   */
  stop(options: StopOptions): Promise<void>
}

const RETRY: RetryPolicy = {
  attemptsMax: ATTEMPTS_MAX,
  backoff: { minMs: RETRY_BACKOFF_MS_MIN, maxMs: RETRY_BACKOFF_MS_MAX },
}

/** What every part of it needs. */
type Common = { readonly cluster: OpenCluster; readonly groups: readonly Group[]; readonly retry: RetryPolicy }

/**
 * Starts sequencing and delivery on every shard. Resolves when this process has competed for all leases once: alone, it
 * then holds them all; with a broker that can be reached, also when what it needs exists there and its readers are
 * accepted. Throws
 * EVENTS_OUTBOX_SEQUENCE_CACHED, EVENTS_GROUP_INVALID, EVENTS_BROKER_MISMATCH, EVENTS_BROKER_NEEDED.
 */
export async function startEvents(options: EventsOptions): Promise<EventsRuntime> {
  const { cluster, sequence, broker } = options
  const retry = { ...RETRY, ...options.retry }
  const groups = groupsOf(options.groups).filter((group) => group.consumers.size > 0)
  await Promise.all(cluster.shards.map((shard) => assertSequenceUncached(shard, shard.label)))
  if (broker === undefined) await leaveBroker(cluster)
  const link = broker && new BrokerLink(broker)
  const isLinked = await link?.begun()
  const common = { cluster, groups, retry }
  const works = link === undefined ? deliveries(common) : [...forwarding(sequence, link), ...retries(common, link)]
  // Leases know their holder by this text alone: a process started again under the same name must not take itself for
  // the old one.
  const owner = `${options.owner}#${newId()}`
  const shards = cluster.shards.map((shard) => new ShardEvents({ cluster, shard, groups, works, owner, sequence }))
  const readers = broker === undefined ? [] : readersOf(broker, common, shards)
  const unsubscribe = onOutboxWritten((shard) => shards[shard]?.outboxWritten())
  let reading: Promise<unknown> = Promise.resolve()
  const stopAll = async (stop: StopOptions) => {
    unsubscribe()
    link?.stop()
    await reading.catch(() => undefined)
    await stopParts([...readers, ...shards], stop)
  }
  let stopping: Promise<void> | undefined
  const stop = (stopOptions: StopOptions) => {
    stopping ??= stopAll(stopOptions)
    return stopping
  }
  try {
    await Promise.all(shards.map((shard) => shard.start()))
    reading = link?.ready.then(() => Promise.all(readers.map((reader) => reader.start()))) ?? reading
    // A broker that is away is reported by the link, again and again: meanwhile everything else works.
    if (isLinked) await reading
    else reading.catch(() => undefined)
  } catch (error) {
    await stop({ deadlineAtMs: 0 }).catch((cause: unknown) => {
      throw new AggregateError([error, cause])
    })
    throw error
  }
  return { stop }
}

/** Something that works until it is stopped, and what of it has not ended, for people. */
type Part = { stop(): Promise<void>; abort(): void; readonly underWay: readonly string[] }

/**
 * Stops them side by side. Work that does not end although it was aborted is given up, since the process has to end:
 * nothing of it is committed, or else its position is, too.
 */
async function stopParts(parts: readonly Part[], options: StopOptions): Promise<void> {
  const left = new Set(parts)
  const stopped = Promise.allSettled(parts.map((part) => part.stop().finally(() => left.delete(part))))
  if ((await untilDeadline(stopped, options)) === 'late') {
    for (const part of parts) part.abort()
    if ((await untilDeadline(stopped, { deadlineAtMs: systemClock.now() + ABORTED_STOP_MS })) === 'late') {
      const list = [...left].flatMap((part) => part.underWay).join(', ')
      throw eventsError('EVENTS_STOP_GIVEN_UP', `gave up what did not end: ${list}`)
    }
  }
  for (const outcome of await stopped) if (outcome.status === 'rejected') throw outcome.reason
}

function deliveries({ cluster, groups, retry }: Common): LeasedWork[] {
  return groups.map((group) => ({
    lease: leaseOf(group.name),
    start: (source, tail, states) => new GroupWorker({ cluster, source, group, tail, retry, states }),
  }))
}

function forwarding(sequence: boolean, link: BrokerLink): LeasedWork[] {
  if (!sequence) return []
  const { engine } = link.broker
  const partitions = partitionsOf(link)
  // Not before topics are known to have the declared partitions: elsewhere keys would lose their order.
  const publish: Broker['publish'] = async (records) => {
    await link.ready
    await engine.publish(records)
  }
  const start: LeasedWork['start'] = (source, tail) => new Forwarder({ source, tail, broker: { publish }, partitions })
  return [{ lease: leaseOf(FORWARDER), start }]
}

function retries({ cluster, groups, retry }: Common, link: BrokerLink): LeasedWork[] {
  const partitions = partitionsOf(link)
  const isLinked = () => link.isReady
  return groups.map((group) => ({
    lease: leaseOf(group.name),
    start: (source, _tail, states) => new RetryWorker({ cluster, source, group, retry, states, partitions, isLinked }),
  }))
}

function partitionsOf({ broker }: BrokerLink): ReadonlyMap<string, number> {
  return new Map(broker.declaration.topics.map((topic) => [topic.name, topic.partitions]))
}

function readersOf(broker: BrokerUse, { cluster, groups, retry }: Common, shards: readonly ShardEvents[]) {
  const { engine, stallMs } = broker
  return groups.map((group) => {
    const onParked = (source: number) => shards[source]?.signal(leaseOf(group.name))
    const isPaused = () => shards.some((shard) => shard.isPaused(group.name))
    const movesOf = (source: number) => shards[source]?.movesOf(group.name) ?? 0
    const options = { cluster, group, broker: engine, retry, onParked, isPaused, movesOf }
    const reader = new BrokerWorker(stallMs === undefined ? options : { ...options, stallMs })
    return {
      start: () => reader.start(),
      stop: () => reader.stop(),
      abort: () => reader.abort(),
      underWay: [`the reader of group ${group.name}`],
    }
  })
}
