import type { Key } from '../core/index.ts'

/**
 * One result row, column name to value. `int8` comes as a number (a RangeError beyond 2^53: select such values as
 * text), `numeric` and `date` as text, `json` parsed, `timestamptz` as a Date.
 */
export type Row = Readonly<Record<string, unknown>>

/**
 * Anything that runs SQL. Statements are prepared per connection under a name derived from their text: keep texts
 * constant.
 */
export type Queryable = {
  query<R extends object = Row>(text: string, values?: readonly unknown[]): Promise<readonly R[]>
}

/**
 * One transaction on one shard, READ COMMITTED. Queries may be issued without awaiting each other: they are pipelined
 * on the connection and run in order. The first failure aborts the transaction and rejects it.
 */
export type Transaction = Queryable & {
  /** Index of the shard the transaction runs on. */
  readonly shard: number
  /** State that belongs to this transaction, made on first use: how `events` collects what a transaction emits. */
  attach<State>(key: symbol, create: () => State): State
  /**
   * Runs before COMMIT, in order of registration, as part of the transaction; may issue queries, need not await them. A
   * promise that it returns is awaited, and its rejection rolls back.
   */
  beforeCommit(run: () => unknown): void
  /**
   * Runs after a COMMIT that succeeded, in order of registration. What it throws changes nothing any more: it is
   * published as a fact.
   */
  afterCommit(run: () => void): void
}

/**
 * A write that shares its transaction with others of its kind on the same shard: while one commit is under way,
 * arriving inputs wait and then go together. `run` gets 1..`batchMax` inputs and answers one output each, in order.
 * When a batch fails for a reason that is not transient, nor a timeout, its inputs are run again in halves until the
 * culprit is alone, so that one bad input fails only itself; `run` must therefore have no effect outside its
 * transaction. An input that has waited too long is refused by DATA_OVERLOADED and not run.
 *
 * Declare it once, as a constant: inputs go together that were given with the same value.
 */
export type BatchWrite<Input, Output> = {
  readonly name: string
  /** Most inputs in one transaction. Default 256. */
  readonly batchMax?: number
  /** Most transactions of it at once on one shard. Default 1: more of them are smaller, and reorder inputs. */
  readonly inFlightMax?: number
  readonly run: (tx: Transaction, inputs: readonly Input[]) => Promise<readonly Output[]>
}

/**
 * One database of the cluster. `query` commits each statement by itself. When the connection breaks,
 * DATA_CONNECTION_LOST says that nothing was written and DATA_COMMIT_UNKNOWN that something may have been; a statement
 * that begins with SELECT counts as a read, so call functions that write in a transaction.
 */
export type Shard = Queryable & {
  readonly index: number
  /** Database name without credentials, for people: `127.0.0.1:5433/shard_1`. */
  readonly label: string
  /**
   * Commits what `run` did, or rejects and leaves nothing. DATA_COMMIT_UNKNOWN when the connection broke during COMMIT.
   */
  transaction<T>(run: (tx: Transaction) => Promise<T>): Promise<T>
  /** Resolves when the transaction that the input shared has committed. DATA_OVERLOADED when too many inputs wait. */
  write<Input, Output>(operation: BatchWrite<Input, Output>, input: Input): Promise<Output>
}

export type KeyLocation = { readonly bucket: number; readonly shard: number }

/**
 * One query over every shard, merged in order. `orderBy` names result columns; the SQL must sort by the same columns
 * itself and end in `LIMIT` of at least `limit`, which is also the most rows returned.
 */
export type ScatterQuery = {
  readonly text: string
  readonly values?: readonly unknown[]
  readonly orderBy: readonly { readonly column: string; readonly direction: 'asc' | 'desc' }[]
  /** 1..1000. */
  readonly limit: number
}

/** The data access layer: the same code on one database or on 64. */
export type Cluster = {
  readonly shards: readonly Shard[]
  /** Shard 0: also holds what is not sharded (products, stock, the gateway's configuration, the shard directory). */
  readonly home: Shard
  locate(key: Key): KeyLocation
  /**
   * The shard of the key's bucket. When the database refuses because the bucket has moved, the directory is read again
   * and the query, transaction or write runs once more on the right shard: `run` must have no effect outside its
   * transaction.
   */
  forKey(key: Key): Shard
  forBucket(bucket: number): Shard
  scatter<R extends object = Row>(query: ScatterQuery): Promise<readonly R[]>
}
