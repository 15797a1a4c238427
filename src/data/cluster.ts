import pg from 'pg'
import { delay, GroundswellError, type Key, messageOf, type StopOptions } from '../core/index.ts'
import { BatchQueue } from './batch-write.ts'
import { bucketOf } from './bucket.ts'
import { type Connections, type ConnectionStats, clientConfig, labelOf, openConnections } from './connection.ts'
import type { BatchWrite, Cluster, KeyLocation, Row, ScatterQuery, Shard, Transaction } from './database.ts'
import { claimShards, readDirectory, type ShardDirectory } from './directory.ts'
import { dataError } from './errors.ts'
import {
  CONNECT_TIMEOUT_MS,
  CONNECTIONS_MAX,
  CONNECTIONS_PER_SHARD_MIN,
  REROUTE_ATTEMPTS_MAX,
  REROUTE_BACKOFF_MS,
} from './limits.ts'
import { listenOn } from './listen.ts'
import { type MigrationSet, migrateShards, systemMigrations } from './migrate.ts'
import { scatter } from './scatter.ts'
import { type ErrorPlace, toDataError } from './sql-error.ts'
import { runStatement, runTransaction } from './transaction.ts'

export type ClusterOptions = {
  /** One per shard, shard 0 first. */
  readonly urls: readonly string[]
  /** Connections of this process over all shards; at least two per shard are used. */
  readonly connectionsMax?: number
  readonly applicationName?: string
  readonly connectTimeoutMs?: number
}

export type OpenCluster = Cluster & {
  /**
   * Applies migrations, and makes fresh databases shards of one cluster. Throws DATA_SHARDS_MISMATCH for databases of
   * another cluster, number or order, before it changes anything of theirs.
   */
  migrate(sets: readonly MigrationSet[], onProgress?: (line: string) => void): Promise<{ readonly applied: number }>
  /** Reads the shard directory. Needed once before keys can be located. */
  loadDirectory(): Promise<void>
  directory(): ShardDirectory
  /** Calls `onNotify` for each notification on a channel of one shard, over a connection of its own that is renewed when it breaks. */
  listen(shard: number, channel: string, onNotify: (payload: string) => void): Promise<() => Promise<void>>
  stats(): readonly ConnectionStats[]
  close(options: StopOptions): Promise<void>
}

/** Opens a cluster. Throws DATA_UNREACHABLE, naming every database that does not answer, passwords never shown. */
export async function openCluster(options: ClusterOptions): Promise<OpenCluster> {
  const cluster = new PooledCluster(options)
  await cluster.ping(options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS)
  return cluster
}

class PooledCluster implements OpenCluster {
  readonly shards: readonly PooledShard[]
  readonly #applicationName: string
  readonly #listeners = new Set<() => Promise<void>>()
  #directory: ShardDirectory | undefined
  #closing: Promise<void> | undefined

  constructor({ urls, connectionsMax = CONNECTIONS_MAX, applicationName = 'groundswell' }: ClusterOptions) {
    if (urls.length === 0)
      throw dataError('DATA_SHARDS_MISMATCH', 'no database was given: a cluster has at least one shard')
    this.#applicationName = applicationName
    const max = Math.max(CONNECTIONS_PER_SHARD_MIN, Math.floor(connectionsMax / urls.length))
    this.shards = urls.map((url, index) => new PooledShard({ url, index, max, applicationName }))
  }

  get home(): Shard {
    return this.#shard(0)
  }

  locate(key: Key): KeyLocation {
    const bucket = bucketOf(key)
    return { bucket, shard: this.#shardOf(bucket) }
  }

  forKey(key: Key): Shard {
    return this.forBucket(bucketOf(key))
  }

  forBucket(bucket: number): Shard {
    return new RoutedShard(this, bucket)
  }

  shardOfBucket(bucket: number): PooledShard {
    return this.#shard(this.#shardOf(bucket))
  }

  scatter<R extends object = Row>(query: ScatterQuery): Promise<readonly R[]> {
    return scatter<R>(this.shards, query)
  }

  async migrate(sets: readonly MigrationSet[], onProgress?: (line: string) => void) {
    const targets = this.shards.map(({ index, label, url }) => ({ index, label, url }))
    const system = await migrateShards(targets, [systemMigrations], onProgress)
    await claimShards(this.shards)
    const others = await migrateShards(
      targets,
      sets.filter((set) => set !== systemMigrations),
      onProgress,
    )
    return { applied: system.applied + others.applied }
  }

  async loadDirectory(): Promise<void> {
    this.#directory = await readDirectory(this.home, this.shards.length)
  }

  directory(): ShardDirectory {
    if (this.#directory === undefined) throw new Error('loadDirectory() must come before the first key is located')
    return this.#directory
  }

  async ping(timeoutMs: number): Promise<void> {
    const failures = (await Promise.all(this.shards.map((shard) => shard.ping(timeoutMs)))).filter(
      (text) => text !== undefined,
    )
    if (failures.length === 0) return
    await this.close({ deadlineAtMs: 0 })
    throw dataError('DATA_UNREACHABLE', failures.join('; '))
  }

  async listen(shard: number, channel: string, onNotify: (payload: string) => void): Promise<() => Promise<void>> {
    const { url, place } = this.#shard(shard)
    const stop = await listenOn({ url, place, channel, onNotify, applicationName: this.#applicationName })
    this.#listeners.add(stop)
    return async () => {
      this.#listeners.delete(stop)
      await stop()
    }
  }

  stats(): readonly ConnectionStats[] {
    return this.shards.map((shard) => shard.stats())
  }

  close(options: StopOptions): Promise<void> {
    this.#closing ??= this.#close(options)
    return this.#closing
  }

  async #close(options: StopOptions): Promise<void> {
    await Promise.all([...this.#listeners].map((stop) => stop()))
    await Promise.all(this.shards.map((shard) => shard.close(options)))
  }

  #shardOf(bucket: number): number {
    const shard = this.directory().shardOf[bucket]
    if (shard === undefined)
      throw dataError('DATA_KEY_INVALID', `bucket ${bucket} is not in the shard directory (0..5039)`)
    return shard
  }

  #shard(index: number): PooledShard {
    const shard = this.shards[index]
    if (shard === undefined)
      throw dataError('DATA_SHARDS_MISMATCH', `there is no shard ${index} among ${this.shards.length}`)
    return shard
  }
}

type ShardOptions = {
  readonly url: string
  readonly index: number
  readonly max: number
  readonly applicationName: string
}

class PooledShard implements Shard {
  readonly index: number
  readonly label: string
  readonly url: string
  readonly place: ErrorPlace
  readonly #connections: Connections
  readonly #queues = new Map<unknown, unknown>()

  constructor({ url, index, max, applicationName }: ShardOptions) {
    this.url = url
    this.index = index
    this.label = labelOf(url)
    this.place = { shard: index, label: this.label }
    this.#connections = openConnections({ url, max, applicationName, place: this.place })
  }

  async query<R extends object = Row>(text: string, values?: readonly unknown[]): Promise<readonly R[]> {
    const client = await this.#connections.acquire()
    try {
      const rows = await runStatement(client, this.place, { text, values })
      client.release()
      return rows as readonly R[]
    } catch (error) {
      const known = toDataError(error, this.place)
      client.release(known instanceof GroundswellError && known.code === 'DATA_CONNECTION_LOST' ? true : undefined)
      throw known
    }
  }

  transaction<T>(run: (tx: Transaction) => Promise<T>): Promise<T> {
    return runTransaction(this.#connections, this.place, run)
  }

  async write<Input, Output>(operation: BatchWrite<Input, Output>, input: Input): Promise<Output> {
    let queue = this.#queues.get(operation) as BatchQueue<Input, Output> | undefined
    if (queue === undefined) {
      queue = new BatchQueue(operation, this.place, (run) => this.transaction(run))
      this.#queues.set(operation, queue)
    }
    return queue.add(input)
  }

  /** What is wrong with the connection, if anything. */
  async ping(timeoutMs: number): Promise<string | undefined> {
    const client = new pg.Client({
      ...clientConfig({ url: this.url, applicationName: 'groundswell-ping' }),
      connectionTimeoutMillis: timeoutMs,
    })
    client.on('error', () => {})
    try {
      await client.connect()
      return undefined
    } catch (error) {
      return `shard ${this.index} (${this.label}) does not answer: ${messageOf(error)}`
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  stats(): ConnectionStats {
    return this.#connections.stats()
  }

  close(options: StopOptions): Promise<void> {
    return this.#connections.close(options)
  }
}

/**
 * The shard that has a bucket, wherever that is by now: when the database says that the bucket is not its own, the directory
 * is read again and the work runs on the shard that it names. Nothing was written in between: the guard refused it.
 */
class RoutedShard implements Shard {
  readonly #cluster: PooledCluster
  readonly #bucket: number

  constructor(cluster: PooledCluster, bucket: number) {
    this.#cluster = cluster
    this.#bucket = bucket
  }

  get index(): number {
    return this.#now().index
  }

  get label(): string {
    return this.#now().label
  }

  query<R extends object = Row>(text: string, values?: readonly unknown[]): Promise<readonly R[]> {
    return this.#rerouting(() => this.#now().query<R>(text, values))
  }

  transaction<T>(run: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#rerouting(() => this.#now().transaction(run))
  }

  write<Input, Output>(operation: BatchWrite<Input, Output>, input: Input): Promise<Output> {
    return this.#rerouting(() => this.#now().write(operation, input))
  }

  #now(): PooledShard {
    return this.#cluster.shardOfBucket(this.#bucket)
  }

  async #rerouting<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work()
      } catch (error) {
        const isMoved = error instanceof GroundswellError && error.code === 'DATA_BUCKET_NOT_OWNED'
        if (!isMoved || attempt >= REROUTE_ATTEMPTS_MAX) throw error
        await delay(REROUTE_BACKOFF_MS * 2 ** (attempt - 1))
        await this.#cluster.loadDirectory()
      }
    }
  }
}
