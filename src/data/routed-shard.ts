import { delay, GroundswellError } from '../core/index.ts'
import type { BatchWrite, Row, Shard, Transaction } from './database.ts'
import { REROUTE_ATTEMPTS_MAX, REROUTE_BACKOFF_MS } from './limits.ts'

/** Where a bucket is by now, and how to learn that anew. */
export type Routes = {
  shardOfBucket(bucket: number): Shard
  loadDirectory(): Promise<void>
}

/**
 * The shard that has a bucket, wherever that is by now: when the database says that the bucket is not its own, the
 * directory is read again and the work runs once more where the directory says. That is safe, since the guard refused
 * the whole transaction. Work that writes another bucket than the one it was routed by is not repeated: it would fail
 * everywhere.
 */
export class RoutedShard implements Shard {
  readonly #routes: Routes
  readonly #bucket: number

  constructor(routes: Routes, bucket: number) {
    this.#routes = routes
    this.#bucket = bucket
  }

  get index(): number {
    return this.#now().index
  }

  get label(): string {
    return this.#now().label
  }

  query<R extends object = Row>(text: string, values?: readonly unknown[]): Promise<readonly R[]> {
    return this.#rerouting((shard) => shard.query<R>(text, values))
  }

  transaction<T>(run: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#rerouting((shard) => shard.transaction(run))
  }

  write<Input, Output>(operation: BatchWrite<Input, Output>, input: Input): Promise<Output> {
    return this.#rerouting((shard) => shard.write(operation, input))
  }

  #now(): Shard {
    return this.#routes.shardOfBucket(this.#bucket)
  }

  async #rerouting<T>(work: (shard: Shard) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const shard = this.#now()
      try {
        return await work(shard)
      } catch (error) {
        const isMoved = error instanceof GroundswellError && error.code === 'DATA_BUCKET_NOT_OWNED'
        if (!isMoved || attempt >= REROUTE_ATTEMPTS_MAX || (await this.#isOwnedBy(shard))) throw error
        await this.#routes.loadDirectory()
        // Routed elsewhere now: at once. The same shard again: a move is under way, wait for it.
        if (this.#now() === shard) await delay(REROUTE_BACKOFF_MS * 2 ** (attempt - 1))
      }
    }
  }

  async #isOwnedBy(shard: Shard): Promise<boolean> {
    const [row] = await shard.query<{ state: string }>('SELECT state FROM groundswell.shard_bucket WHERE bucket = $1', [
      this.#bucket,
    ])
    return row?.state === 'owned'
  }
}
