import { facts } from '../core/index.ts'

/** Facts of the data layer, for telemetry. Durations in milliseconds, fractions included. */

/** A transaction ended. `ms` counts from the connection's acquisition to the answer of COMMIT or ROLLBACK. */
export type TransactionFact = {
  readonly shard: number
  readonly outcome: 'committed' | 'failed'
  readonly ms: number
  readonly statements: number
}

/** A batch of writes committed or failed; of its inputs, `inputs` shared one transaction. */
export type BatchFact = {
  readonly shard: number
  readonly operation: string
  readonly outcome: 'committed' | 'failed'
  readonly inputs: number
  readonly ms: number
}

/**
 * A statement was answered, within a transaction or by itself. One that failed is in no such fact. The answers of a
 * round trip come together: `ms` is then the time of all its statements.
 */
export type StatementFact = { readonly shard: number; readonly ms: number }

/**
 * A statement took longer than SLOW_QUERY_MS, or shared a round trip with one that did: their `ms` are alike. Values
 * are never published.
 */
export type SlowQueryFact = { readonly shard: number; readonly text: string; readonly ms: number }

/** What runs after a commit threw. The transaction stands. */
export type HookFailureFact = { readonly shard: number; readonly error: unknown }

export const transactionFacts = facts<TransactionFact>('data.transaction')
export const statementFacts = facts<StatementFact>('data.statement')
export const batchFacts = facts<BatchFact>('data.batch')
export const hookFailureFacts = facts<HookFailureFact>('data.after-commit.failure')
export const slowQueryFacts = facts<SlowQueryFact>('data.query.slow')
