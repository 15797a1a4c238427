import type { Shard } from '../data/index.ts'
import type { BrokerDeclaration } from './broker.ts'
import { readLog } from './engines/postgres-log.ts'
import { FORWARDER } from './engines/postgres-positions.ts'
import { LAG_BLOCKS_MAX, LAG_EVENTS_MAX } from './limits.ts'
import { partitionOf } from './partition.ts'
import { decodeSegment } from './segment.ts'
import { topicOf } from './stream.ts'

/** How much of a stream was forwarded that a group has not processed. */
export type Unread = {
  readonly group: string
  readonly stream: string
  readonly events: number
  /** Nothing has to be added: neither did the log lack any of them, nor was it too many, nor is the group new. */
  readonly isWhole: boolean
}

/** Number of partitions by topic. */
export type PartitionCounts = ReadonlyMap<string, number>

// What a group that was sent back has from the log instead, up to `log_until`, is told of by `lag`.
const PLACES = `
SELECT r.grp AS group, f.topic AS stream, f.next_offset AS end,
  coalesce(greatest(g.next_offset, g.log_until, base.next_offset), 0) AS next
FROM unnest($3::text[], $4::text[]) AS r(grp, topic)
JOIN groundswell.consumer_position AS f ON f.grp = $2 AND f.source = $1
  AND split_part(f.topic, '/', 1) = r.topic AND position('/' IN f.topic) > 0
LEFT JOIN groundswell.consumer_position AS g ON g.grp = r.grp AND g.source = $1 AND g.topic = f.topic
LEFT JOIN groundswell.consumer_position AS base ON base.grp = r.grp AND base.source = $1 AND base.topic = r.topic`

type Place = {
  readonly group: string
  readonly stream: string
  /** Where the forwarder is. */
  readonly end: number
  /** Where the group is; 0 when it has never read the stream, and begins with what the broker has. */
  readonly next: number
}

/**
 * What these groups have still to read of one shard's log, for each stream that was forwarded. Positions of partitions
 * are offsets of the topic, whose events in between belong to other partitions too: those that matter are told by
 * their keys. `partitions` says how many there are.
 */
export async function unreadOf(
  shard: Shard,
  groups: BrokerDeclaration['groups'],
  partitions: PartitionCounts,
): Promise<readonly Unread[]> {
  const pairs = groups.flatMap(({ name, topics }) => topics.map((topic) => [name, topic] as const))
  const columns = [pairs.map(([name]) => name), pairs.map(([, topic]) => topic)]
  const places = await shard.query<Place>(PLACES, [shard.index, FORWARDER, ...columns])
  const known = knownOf.get(shard) ?? new Map<string, Block>()
  const used = new Map<string, Block>()
  const counts: Unread[] = []
  for (const place of places) {
    const { group, stream, next, end } = place
    if (next === 0 || next >= end) counts.push({ group, stream, events: 0, isWhole: next >= end })
    else counts.push(await countOf(place, (index) => blockOf(place, index)))
  }
  knownOf.set(shard, used)
  return counts

  async function blockOf({ stream, end }: Place, index: number): Promise<Block> {
    const topic = topicOf(stream)
    const count = partitions.get(topic) ?? 1
    const name = `${topic} ${count} ${index}`
    const block = used.get(name) ?? known.get(name) ?? new Block(index)
    used.set(name, block)
    await block.fill(shard, { topic, count, end })
    return block
  }
}

/** Blocks that the last count needed. What is forwarded never changes, so that the next one reads only what is new. */
const knownOf = new WeakMap<Shard, ReadonlyMap<string, Block>>()

async function countOf(place: Place, blockOf: (index: number) => Promise<Block>): Promise<Unread> {
  const { group, stream, next, end } = place
  const partition = Number(stream.slice(stream.indexOf('/') + 1))
  const first = Math.floor(next / LAG_EVENTS_MAX)
  const last = Math.floor((end - 1) / LAG_EVENTS_MAX)
  let events = 0
  let isWhole = last - first < LAG_BLOCKS_MAX
  for (let index = first; index <= Math.min(last, first + LAG_BLOCKS_MAX - 1); index++) {
    const part = (await blockOf(index)).partsOf(next, end)
    for (const one of part) if (one === partition) events++
    if (part.includes(UNKNOWN)) isWhole = false
  }
  return { group, stream, events, isWhole }
}

/** The partition of an event that the log does not hold, or not yet. */
const UNKNOWN = 0xffff

/** The partitions of LAG_EVENTS_MAX consecutive events of a topic: 4 kB. */
class Block {
  private readonly first: number
  private readonly parts = new Uint16Array(LAG_EVENTS_MAX).fill(UNKNOWN)
  /** How many were looked for. */
  private length = 0

  constructor(index: number) {
    this.first = index * LAG_EVENTS_MAX
  }

  /** Those of the events from `next` up to `end`, as far as they are in this block. */
  partsOf(next: number, end: number): Uint16Array {
    return this.parts.subarray(Math.max(0, next - this.first), Math.max(0, end - this.first))
  }

  /** Reads what it lacks of the events before `end`. */
  async fill(
    shard: Shard,
    { topic, count, end }: { readonly topic: string; readonly count: number; readonly end: number },
  ): Promise<void> {
    const wanted = Math.min(LAG_EVENTS_MAX, end - this.first)
    while (this.length < wanted) {
      const from = this.first + this.length
      const segments = await readLog(shard, new Map([[topic, from]]), LAG_EVENTS_MAX - this.length)
      const events = segments.flatMap(decodeSegment).filter(({ offset }) => offset >= from)
      for (const { offset, envelope } of events) {
        // Beyond the end of the array an assignment does nothing.
        this.parts[offset - this.first] = partitionOf(envelope.key, count)
        this.length = Math.min(LAG_EVENTS_MAX, offset - this.first + 1)
      }
      // Retention has dropped all that there was.
      if (events.length === 0) this.length = wanted
    }
  }
}
