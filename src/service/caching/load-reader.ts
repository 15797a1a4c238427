import type { Horizon, Source } from '../../cache/index.ts'
import type { Key } from '../../core/index.ts'
import type { Cluster, Queryable, Row, ScatterQuery, Shard } from '../../data/index.ts'
import { readHorizon } from './horizon.ts'

/**
 * What a load reads the databases with. Each shard's horizon is read before the first query on it: one short query more
 * than without a cache.
 */
export type LoadReader = {
  readonly home: Queryable
  forKey(key: Key): Queryable
  scatter<R extends object = Row>(query: ScatterQuery): Promise<readonly R[]>
}

/** The cluster as what loads are fenced by. */
export function sourceOf(cluster: Cluster): Source<LoadReader> {
  return {
    open() {
      const reader = new FencedReader(cluster)
      return { reader, horizons: () => reader.horizons() }
    },
  }
}

class FencedReader implements LoadReader {
  readonly #cluster: Cluster
  readonly #horizons = new Map<number, Promise<Horizon>>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  get home(): Queryable {
    return this.#fenced(this.#cluster.home)
  }

  /** The shard is settled here: a directory that changes meanwhile must not lead to one without a horizon. */
  forKey(key: Key): Queryable {
    const { shard: index } = this.#cluster.locate(key)
    const shard = this.#cluster.shards[index]
    if (shard === undefined) throw new Error(`there is no shard ${index}`)
    return this.#fenced(shard)
  }

  async scatter<R extends object = Row>(query: ScatterQuery): Promise<readonly R[]> {
    await Promise.all(this.#cluster.shards.map((shard) => this.#horizonOf(shard)))
    return this.#cluster.scatter<R>(query)
  }

  horizons(): Promise<readonly Horizon[]> {
    return Promise.all(this.#horizons.values())
  }

  #fenced(shard: Shard): Queryable {
    return {
      query: async (text, values) => {
        await this.#horizonOf(shard)
        return shard.query(text, values)
      },
    }
  }

  #horizonOf(shard: Shard): Promise<Horizon> {
    const known = this.#horizons.get(shard.index)
    if (known !== undefined) return known
    const horizon = readHorizon(shard)
    this.#horizons.set(shard.index, horizon)
    return horizon
  }
}
