import type { Cluster, Shard, Transaction } from '../data/index.ts'
import { replayBegan } from './channels.ts'
import { movePositions, replaysAsked, replaysDone } from './engines/postgres-groups.ts'
import { createPositions, forwardedStreams } from './engines/postgres-positions.ts'
import type { Group } from './plan.ts'

/**
 * Takes the replays that operators asked for of a group on a shard: the worker does it that holds the group's lease,
 * before it reads anything. Positions elsewhere move first, the shard's own last, with the request; a crash in between
 * leaves the request, and the next worker begins again. Until then a worker that knows of no replay can only advance
 * what was not moved yet, which then moves as well. Where a broker carries the events, each partition moves, and the
 * log is where the group has them from until it is where it was: see log-replay.ts.
 * docs/decisions/0015-replay-moves-positions.md
 */
export async function takeReplays(cluster: Cluster, source: Shard, group: Group): Promise<void> {
  const moves = await replaysAsked(source, group.name)
  if (moves.size === 0) return
  const streams = await forwardedStreams(source, source.index, [...moves.keys()])
  const scope = { group: group.name, source: source.index }
  const rerun = [...moves.keys()].filter((topic) => group.consumers.get(topic)?.replay === 'run')
  const others = cluster.shards.filter((shard) => shard.index !== source.index)
  const move = async (tx: Transaction) => {
    if (streams.length > 0) await createPositions(tx, scope, streams)
    return movePositions(tx, scope, { moves, rerun })
  }
  await Promise.all(others.map((shard) => shard.transaction(move)))
  const moved = await source.transaction(async (tx) => {
    const before = await move(tx)
    await replaysDone(tx, group.name, moves)
    return before
  })
  for (const [topic, before] of moved) {
    const offset = moves.get(topic)?.offset ?? 0
    replayBegan.publish({ group: group.name, shard: source.index, topic, offset, before })
  }
}
