import {
  type CacheSystem,
  type Caches,
  createCaches,
  type Fences,
  type Seen,
  secondLevelAt,
} from '../../cache/index.ts'
import type { StopOptions } from '../../core/index.ts'
import type { OpenCluster } from '../../data/index.ts'
import { InvalidationFollower } from './follower.ts'
import { type LoadReader, sourceOf } from './load-reader.ts'
import { onInvalidationCommitted } from './signals.ts'

export type CachingOptions = {
  readonly cluster: OpenCluster
  /** Where the level is that processes share, and what its keys begin with. Only this process's memory when absent. */
  readonly second?: { readonly url: string; readonly prefix: string }
  /** For tests that break the rules. */
  readonly fences?: Fences
}

/** The caches of this process, fenced by the invalidations of every shard. */
export type Caching = {
  readonly caches: Caches<LoadReader>
  /** Caches for a client who has seen the effects of these transactions. */
  seeing(seen: Seen): Caches<LoadReader>
  readonly memory: CacheSystem<LoadReader>['memory']
  /**
   * Resolves when every shard has been heard from. A second level that is away is no reason not to start. Throws
   * CACHE_URL_UNSUPPORTED, CACHE_DRIVER_MISSING.
   */
  start(): Promise<void>
  /** Idempotent. */
  stop(options: StopOptions): Promise<void>
}

/** The caches of this process, not started: they know of no invalidation yet. */
export function createCaching({ cluster, second, fences }: CachingOptions): Caching {
  const system = createCaches({
    source: sourceOf(cluster),
    ...(second === undefined ? {} : { second: secondLevelAt(second.url, second.prefix) }),
    ...(fences === undefined ? {} : { fences }),
  })
  const followers = cluster.shards.map((shard) => new InvalidationFollower({ cluster, shard, fences: system.fences }))
  const unsubscribe = onInvalidationCommitted((invalidation) => followers[invalidation.shard]?.committed(invalidation))
  let stopping: Promise<void> | undefined
  const stop = (options: StopOptions) => {
    stopping ??= stopAll(options)
    return stopping
  }
  async function stopAll(options: StopOptions): Promise<void> {
    unsubscribe()
    await Promise.all(followers.map((follower) => follower.stop()))
    await system.stop(options)
  }
  async function start(): Promise<void> {
    try {
      await system.start()
      await Promise.all(followers.map((follower) => follower.start()))
    } catch (error) {
      await stop({ deadlineAtMs: 0 })
      throw error
    }
  }
  return { caches: system.caches, seeing: system.seeing, memory: system.memory, start, stop }
}

/** {@link createCaching}, started. */
export async function startCaching(options: CachingOptions): Promise<Caching> {
  const caching = createCaching(options)
  await caching.start()
  return caching
}
