import { systemClock } from '../core/index.ts'
import type { Cluster, Shard } from '../data/index.ts'
import type { Broker, BrokerDeclaration, BrokerLag } from './broker.ts'
import { readLog } from './engines/postgres-log.ts'
import { FORWARDER } from './engines/postgres-positions.ts'
import { LAG_EVENTS_MAX } from './limits.ts'
import { partitionOf } from './partition.ts'
import { decodeSegment, type LoggedEvent } from './segment.ts'
import { streamOf, topicOf } from './stream.ts'
import { type PartitionCounts, unreadOf } from './unread-counts.ts'

/** How far a group is behind on one partition of a topic at the broker. */
export type PartitionLag = {
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly messages: number
  /**
   * Since the oldest event was written that the group has not processed; 0 when there is none. It is looked for among
   * the next LAG_EVENTS_MAX of the topic: where it lies further on, the age of the last of those, which is higher.
   */
  readonly oldestAgeSeconds: number
  /** An operator paused the group. */
  readonly isPaused: boolean
}

/**
 * The lag of every group that has read through the broker, by group, topic, partition: messages from the broker, or
 * from the logs where it does not count all of them; ages from the logs. What waits to be forwarded is the group
 * `~broker` of `lag`.
 */
export async function brokerLag(
  cluster: Cluster,
  engine: Pick<Broker, 'lag' | 'capabilities'>,
): Promise<readonly PartitionLag[]> {
  const groups = await groupsAtBroker(cluster)
  const paused = new Set(groups.flatMap(({ name, isPaused }) => (isPaused ? [name] : [])))
  const [told, streams] = await Promise.all([engine.lag(groups), streamsForwarded(cluster)])
  const partitions = partitionCounts([...told, ...streams])
  const rows = engine.capabilities.countsTaken ? told : await unreadRows(cluster, groups, { told, partitions })
  const behind = rows.filter(({ messages }) => messages > 0)
  const perShard = await Promise.all(cluster.shards.map((shard) => oldestOf(shard, behind, partitions)))
  const lags = rows.map((row) => {
    const ages = perShard.map((ages) => ages.get(nameOf(row.group, streamOf(row.topic, row.partition))) ?? 0)
    return { ...row, oldestAgeSeconds: Math.max(0, ...ages), isPaused: paused.has(row.group) }
  })
  return lags.sort((a, b) => compare(a.group, b.group) || compare(a.topic, b.topic) || a.partition - b.partition)
}

const STREAMS = `
SELECT split_part(topic, '/', 1) AS topic, split_part(topic, '/', 2)::int AS partition
FROM groundswell.consumer_position WHERE source = $1 AND grp = $2 AND position('/' IN topic) > 0`

type Partition = { readonly topic: string; readonly partition: number }

/** What any shard has forwarded to. */
async function streamsForwarded(cluster: Cluster): Promise<readonly Partition[]> {
  const rows = await Promise.all(
    cluster.shards.map((shard) => shard.query<Partition>(STREAMS, [shard.index, FORWARDER])),
  )
  return rows.flat()
}

/** A partition that the broker lacks, since its queue was deleted, counts none the less: keys depend on the number. */
function partitionCounts(known: readonly Partition[]): PartitionCounts {
  const counts = new Map<string, number>()
  for (const { topic, partition } of known) counts.set(topic, Math.max(counts.get(topic) ?? 0, partition + 1))
  return counts
}

/**
 * What the logs say that groups have to read. Where they cannot say all of it, for being too much, or dropped, or since
 * the group has yet to begin, the broker's own count is taken if it is higher.
 */
async function unreadRows(
  cluster: Cluster,
  groups: BrokerDeclaration['groups'],
  { told, partitions }: { readonly told: readonly BrokerLag[]; readonly partitions: PartitionCounts },
): Promise<readonly BrokerLag[]> {
  const perShard = await Promise.all(cluster.shards.map((shard) => unreadOf(shard, groups, partitions)))
  const unread = Map.groupBy(perShard.flat(), ({ group, stream }) => nameOf(group, stream))
  const toldBy = new Map(told.map((row) => [nameOf(row.group, streamOf(row.topic, row.partition)), row.messages]))
  return groups.flatMap(({ name: group, topics }) =>
    topics.flatMap((topic) =>
      Array.from({ length: partitions.get(topic) ?? 0 }, (_, partition) => {
        const name = nameOf(group, streamOf(topic, partition))
        const counts = unread.get(name) ?? []
        const events = counts.reduce((sum, one) => sum + one.events, 0)
        const isWhole = counts.length > 0 && counts.every((one) => one.isWhole)
        return { group, topic, partition, messages: isWhole ? events : Math.max(events, toldBy.get(name) ?? 0) }
      }),
    ),
  )
}

const GROUPS = `
SELECT DISTINCT grp AS name, split_part(topic, '/', 1) AS topic,
  EXISTS (SELECT FROM groundswell.paused_group AS g WHERE g.grp = p.grp) AS "isPaused"
FROM groundswell.consumer_position AS p
WHERE position('/' IN topic) > 0 AND grp <> $1`

type GroupAtBroker = BrokerDeclaration['groups'][number] & { readonly isPaused: boolean }

/** The groups that have ever read through a broker, as the databases know them: it need not be there. */
export async function groupsAtBroker(cluster: Cluster): Promise<readonly GroupAtBroker[]> {
  const rows = await Promise.all(
    cluster.shards.map((shard) => shard.query<{ name: string; topic: string; isPaused: boolean }>(GROUPS, [FORWARDER])),
  )
  const groups = Map.groupBy(rows.flat(), ({ name }) => name)
  return [...groups].map(([name, found]) => ({
    name,
    topics: [...new Set(found.map(({ topic }) => topic))],
    isPaused: found.some(({ isPaused }) => isPaused),
  }))
}

const BEHIND = `
SELECT g.grp AS group, g.topic AS stream, g.next_offset AS next
FROM groundswell.consumer_position AS g
JOIN groundswell.consumer_position AS f ON f.grp = $2 AND f.source = g.source AND f.topic = g.topic
WHERE g.source = $1 AND g.grp <> $2 AND position('/' IN g.topic) > 0 AND g.next_offset < f.next_offset`

/** Age in seconds of the oldest event of this shard that waits, by group and stream. */
async function oldestOf(
  shard: Shard,
  behind: readonly { readonly topic: string }[],
  partitions: PartitionCounts,
): Promise<ReadonlyMap<string, number>> {
  const ages = new Map<string, number>()
  if (behind.length === 0) return ages
  const rows = await shard.query<{ group: string; stream: string; next: number }>(BEHIND, [shard.index, FORWARDER])
  const topics = Map.groupBy(rows, ({ stream }) => topicOf(stream))
  for (const [topic, waiting] of topics) {
    const from = Math.min(...waiting.map(({ next }) => next))
    const events = (await readLog(shard, new Map([[topic, from]]), LAG_EVENTS_MAX)).flatMap(decodeSegment)
    const streams = events.map((event) => streamOf(topic, partitionOf(event.envelope.key, partitions.get(topic) ?? 1)))
    for (const { group, stream, next } of waiting) {
      const oldest = events.find((event, index) => event.offset >= next && streams[index] === stream) ?? events.at(-1)
      if (oldest !== undefined) ages.set(nameOf(group, stream), ageOf(oldest))
    }
  }
  return ages
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

function ageOf({ envelope }: LoggedEvent): number {
  return Math.max(0, systemClock.now() - envelope.occurredAtMs) / 1000
}

function nameOf(group: string, stream: string): string {
  return `${group} ${stream}`
}
