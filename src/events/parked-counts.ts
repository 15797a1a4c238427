import type { Cluster } from '../data/index.ts'

/** How much of a topic is parked for a group, over all shards. */
export type ParkedCounts = {
  readonly group: string
  readonly topic: string
  /** Failed, and will be tried again. */
  readonly retrying: number
  /** Wait behind one of the same key that failed. */
  readonly waiting: number
  readonly dead: number
  /** Most attempts that one of the retrying has had. */
  readonly attempts: number
}

const COUNTS = `
SELECT grp AS group, topic, count(*) FILTER (WHERE state = 'retrying') AS retrying,
  count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'dead') AS dead,
  coalesce(max(attempts) FILTER (WHERE state = 'retrying'), 0) AS attempts
FROM groundswell.parked_event GROUP BY grp, topic`

/** What is parked, for each group and topic that has any, in no order. Counts it one by one. */
export async function parkedCounts(cluster: Cluster): Promise<readonly ParkedCounts[]> {
  const perShard = await Promise.all(cluster.shards.map((shard) => shard.query<ParkedCounts>(COUNTS)))
  const byName = Map.groupBy(perShard.flat(), ({ group, topic }) => `${group} ${topic}`)
  return [...byName.values()].map(summed)
}

function summed(counts: readonly ParkedCounts[]): ParkedCounts {
  const { group = '', topic = '' } = counts[0] ?? {}
  const sum = (read: (count: ParkedCounts) => number) => counts.reduce((all, count) => all + read(count), 0)
  return {
    group,
    topic,
    retrying: sum(({ retrying }) => retrying),
    waiting: sum(({ waiting }) => waiting),
    dead: sum(({ dead }) => dead),
    attempts: Math.max(...counts.map(({ attempts }) => attempts)),
  }
}
