import { PROCESS_CONNECTIONS_MIN, SHARD_CONNECTIONS } from './limits.ts'
import type { Workload } from './workload.ts'

/** Database connections of one process of a fleet, over all shards. */
export function connectionsOf(shards: number): number {
  return Math.max(PROCESS_CONNECTIONS_MIN, shards * SHARD_CONNECTIONS)
}

/** What the databases must be able to take together, when every workload is at its most. */
export function connectionsTotal(workloads: readonly Workload[], shards: number): number {
  return workloads.reduce((sum, { scale }) => sum + scale.replicasMax, 0) * connectionsOf(shards)
}
