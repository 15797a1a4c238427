import { type StopOptions, untilDeadline } from '../../core/index.ts'
import type { OpenCluster, Transaction } from '../../data/index.ts'
import { gatewayError } from '../errors.ts'
import { type Catalog, createCatalog } from './catalog.ts'
import { configReloadFailed } from './channels.ts'
import type { ConfigStore, Entity, EntityLookup, GatewayConfig, PageOptions } from './entities.ts'
import {
  beginWrite,
  CONFIG_CHANNEL,
  deleteEntity,
  selectChanges,
  selectEntity,
  selectPage,
  selectVersion,
  writeEntity,
} from './entity-rows.ts'
import { CONFIG_POLL_MS, DELETIONS_KEPT } from './limits.ts'
import type { PluginDescription } from './schema.ts'
import { type GatewaySeed, writeSeed } from './seed.ts'
import { ConfigImage } from './snapshot.ts'

export type ConfigStoreOptions = { readonly cluster: OpenCluster; readonly plugins: readonly PluginDescription[] }

export type SeedingConfigStore = ConfigStore & { seed(declared: GatewaySeed): Promise<void> }

/** The configuration store on the cluster's home shard, whose migrations have run. */
export function createConfigStore(options: ConfigStoreOptions): SeedingConfigStore {
  return new PostgresConfigStore(options)
}

/**
 * States: idle → (start) → running → (stop) → stopped. While running, a reload follows each own write, each
 * notification and each poll that finds a newer version. Reloads run one at a time; those asked for meanwhile share
 * the next.
 */
class PostgresConfigStore implements SeedingConfigStore {
  readonly #cluster: OpenCluster
  readonly #catalog: Catalog
  readonly #image = new ConfigImage()
  readonly #listeners = new Set<(config: GatewayConfig) => void>()
  #loaded = false
  #state: 'idle' | 'running' | 'stopped' = 'idle'
  #reloading: Promise<void> | undefined
  #nextReload: Promise<void> | undefined
  #poll: NodeJS.Timeout | undefined
  #unlisten: (() => Promise<void>) | undefined

  constructor({ cluster, plugins }: ConfigStoreOptions) {
    this.#cluster = cluster
    this.#catalog = createCatalog(plugins)
  }

  async start(): Promise<void> {
    if (this.#state === 'running') return
    this.#state = 'running'
    await this.#reload()
    this.#unlisten = await this.#cluster.listen(0, CONFIG_CHANNEL, () => this.#reloadSoon())
    this.#schedulePoll()
  }

  async stop(options: StopOptions): Promise<void> {
    if (this.#state !== 'running') return
    this.#state = 'stopped'
    clearTimeout(this.#poll)
    await this.#unlisten?.()
    const pending = Promise.allSettled([this.#reloading, this.#nextReload])
    await untilDeadline(pending, options)
  }

  snapshot(): GatewayConfig {
    return this.#image.config
  }

  subscribe(listener: (config: GatewayConfig) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  get(kind: string, by: EntityLookup) {
    return selectEntity(this.#cluster.home, kind, by)
  }

  page(kind: string, options: PageOptions) {
    return selectPage(this.#cluster.home, kind, options)
  }

  insert(kind: string, entity: Entity): Promise<Entity> {
    return this.#put(kind, false, async () => entity)
  }

  upsert(kind: string, entity: Entity, by?: EntityLookup): Promise<Entity> {
    return this.#put(kind, true, async (tx) => {
      const existing = by === undefined ? undefined : await selectEntity(tx, kind, by)
      return existing === undefined ? entity : { ...entity, id: existing.id }
    })
  }

  update(kind: string, id: string, change: (current: Entity) => Entity): Promise<Entity | undefined> {
    return this.#write(async (tx, version) => {
      const current = await selectEntity(tx, kind, { field: 'id', value: id })
      if (current === undefined) return undefined
      const write = { catalog: this.#catalog, schema: this.#catalog.kind(kind), version, entity: change(current) }
      await writeEntity(tx, write, true)
      return write.entity
    })
  }

  delete(kind: string, id: string): Promise<boolean> {
    const schema = this.#catalog.kind(kind)
    return this.#write((tx, version) => deleteEntity(tx, { catalog: this.#catalog, schema, version }, id))
  }

  /** See {@link writeSeed}. */
  async seed(declared: GatewaySeed): Promise<void> {
    await this.#write((tx, version) => writeSeed(tx, { catalog: this.#catalog, version, declared }))
  }

  async reachable(): Promise<boolean> {
    try {
      await selectVersion(this.#cluster.home)
      return true
    } catch {
      return false // That is the answer, not a failure of the question.
    }
  }

  #put(kind: string, replace: boolean, entityIn: (tx: Transaction) => Promise<Entity>): Promise<Entity> {
    const schema = this.#catalog.kind(kind)
    return this.#write(async (tx, version) => {
      const entity = await entityIn(tx)
      await writeEntity(tx, { catalog: this.#catalog, schema, version, entity }, replace)
      return entity
    })
  }

  async #write<T>(run: (tx: Transaction, version: number) => Promise<T>): Promise<T> {
    if (this.#state !== 'running') throw gatewayError('GATEWAY_STORE_STOPPED', `the store is ${this.#state}: no writes`)
    const result = await this.#cluster.home.transaction(async (tx) => run(tx, await beginWrite(tx)))
    await this.#reload()
    return result
  }

  /** Resolves when a reload that began after this call is done. */
  #reload(): Promise<void> {
    if (this.#reloading === undefined) return this.#beginReload()
    this.#nextReload ??= this.#reloading.catch(() => undefined).then(() => this.#beginReload())
    return this.#nextReload
  }

  #beginReload(): Promise<void> {
    this.#nextReload = undefined
    this.#reloading = this.#load().finally(() => {
      this.#reloading = undefined
    })
    return this.#reloading
  }

  async #load(): Promise<void> {
    const { home } = this.#cluster
    const known = this.#image.config.version
    const behind = this.#loaded ? (await selectVersion(home)) - known : Number.POSITIVE_INFINITY
    if (behind === 0) return
    // Too far behind for the deletions that are kept, or a database that was restored to an earlier state.
    const anew = behind < 0 || behind >= DELETIONS_KEPT
    const { version, changes } = await selectChanges(home, anew ? -1 : known)
    this.#image.apply(version, anew ? changes.filter((change) => change.body !== null) : changes, anew)
    this.#loaded = true
    for (const listener of this.#listeners) listener(this.#image.config)
  }

  /** Reload for what others wrote: when it fails, the version in force stays and the next poll tries again. */
  #reloadSoon(): void {
    if (this.#state !== 'running') return
    this.#reload().catch((error: unknown) => {
      configReloadFailed.publish({ version: this.#image.config.version, error })
    })
  }

  #schedulePoll(): void {
    this.#poll = setTimeout(() => {
      this.#reloadSoon()
      this.#schedulePoll()
    }, CONFIG_POLL_MS)
    this.#poll.unref()
  }
}
