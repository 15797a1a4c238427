import type { Key, StopOptions } from '../core/index.ts'
import { bucketOf } from './bucket.ts'
import type { ConnectionStats } from './connection.ts'
import type { Cluster, KeyLocation, Row, ScatterQuery, Shard } from './database.ts'
import { claimShards, readDirectory, type ShardDirectory, verifyShards } from './directory.ts'
import { dataError } from './errors.ts'
import { CONNECT_TIMEOUT_MS, CONNECTIONS_MAX, CONNECTIONS_PER_SHARD_MIN } from './limits.ts'
import { listenOn } from './listen.ts'
import { type MigrationSet, migrateShards, systemMigrations } from './migrate.ts'
import { PooledShard } from './pooled-shard.ts'
import { RoutedShard } from './routed-shard.ts'
import { scatter } from './scatter.ts'

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
  /**
   * Calls `onNotify` for each notification on a channel of one shard, over a connection of its own. When that breaks it
   * is renewed, and `onNotify` is called with '' since something may have been missed.
   */
  listen(shard: number, channel: string, onNotify: (payload: string) => void): Promise<() => Promise<void>>
  /** Connections by shard. */
  stats(): readonly ConnectionStats[]
  /** Finishes what was accepted, refuses the rest by DATA_CLOSED, cuts off what is left at the deadline. Idempotent. */
  close(options: StopOptions): Promise<void>
}

/**
 * Opens a cluster. Throws DATA_UNREACHABLE, naming every database that does not answer, passwords never shown, and
 * DATA_SHARDS_MISMATCH for databases that are shards of another cluster, in another order or another number.
 */
export async function openCluster(options: ClusterOptions): Promise<OpenCluster> {
  const cluster = new PooledCluster(options)
  try {
    await cluster.verify(options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS)
    return cluster
  } catch (error) {
    await cluster.close({ deadlineAtMs: 0 })
    throw error
  }
}

class PooledCluster implements OpenCluster {
  readonly shards: readonly PooledShard[]
  readonly #applicationName: string
  readonly #listeners = new Set<() => Promise<void>>()
  #directory: ShardDirectory | undefined
  #loading: Promise<void> | undefined
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
    this.#shardOf(bucket)
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

  loadDirectory(): Promise<void> {
    // One reading for all who ask meanwhile: after a move, every request of the bucket asks.
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  directory(): ShardDirectory {
    if (this.#directory === undefined) throw new Error('loadDirectory() must come before the first key is located')
    return this.#directory
  }

  async verify(timeoutMs: number): Promise<void> {
    const answers = await Promise.all(this.shards.map((shard) => shard.ping(timeoutMs)))
    const failures = answers.filter((answer) => answer !== undefined)
    if (failures.length > 0) throw dataError('DATA_UNREACHABLE', `${failures.join('; ')}: start it, or correct its URL`)
    await verifyShards(this.shards)
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

  async #load(): Promise<void> {
    this.#directory = await readDirectory(this.home, this.shards.length)
  }

  async #close(options: StopOptions): Promise<void> {
    const listeners = [...this.#listeners].map((stop) => stop())
    await Promise.all([...listeners, ...this.shards.map((shard) => shard.close(options))])
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
