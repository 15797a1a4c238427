export { bucketDirectoryStriped, bucketOf } from './bucket.ts'
export {
  type BatchFact,
  batchFacts,
  type HookFailureFact,
  hookFailureFacts,
  type SlowQueryFact,
  type StatementFact,
  slowQueryFacts,
  statementFacts,
  type TransactionFact,
  transactionFacts,
} from './channels.ts'
export { type ClusterOptions, type OpenCluster, openCluster } from './cluster.ts'
export type { ConnectionStats } from './connection.ts'
export type { BatchWrite, Cluster, KeyLocation, Queryable, Row, ScatterQuery, Shard, Transaction } from './database.ts'
export type { ShardDirectory } from './directory.ts'
export { type Lock, lockDataDir } from './engines/data-dir.ts'
export { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from './engines/embedded.ts'
export { type MigrationSet, systemMigrations } from './migrate.ts'
