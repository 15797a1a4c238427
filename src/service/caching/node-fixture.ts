import { type ChildProcess, fork } from 'node:child_process'
import { z } from 'zod'
import { type CacheDeclaration, cache } from '../../cache/index.ts'
import { newContext } from '../../core/index.ts'
import { type OpenCluster, openCluster } from '../../data/index.ts'
import { type Caching, startCaching } from './caching.ts'
import { invalidate } from './invalidate.ts'

/**
 * One process of a fleet that caches prices, for tests: this file run as a process of its own, which does what it is
 * told over IPC. `startNode` is the side of the test.
 */
export type Node = {
  /** What the process answers to who asks for the price; `seen` is a token of another process. */
  read(seen?: readonly [shard: number, xid: number]): Promise<number | null>
  /** Begins a load, and resolves once it has read the database; it goes on when released. */
  holdLoad(): Promise<{ release(): Promise<number | null> }>
  /** What is served without a load. */
  peek(): Promise<number | null>
  /** Changes the price; resolves with the transaction's id when it is acknowledged. */
  save(cents: number): Promise<number>
  /** Changes the price and is killed after the commit, before it has raised a fence or told anybody. */
  saveAndDie(cents: number): Promise<void>
  stop(): Promise<void>
}

const HOUR_MS = 3_600_000
const prices: CacheDeclaration<number | null> = cache('prices', { schema: z.int().nullable(), ttlMs: HOUR_MS })
const TAGS = ['price']

type Request =
  | { readonly id: number; readonly act: 'peek' | 'stop' | 'hold' | 'release' | 'holding' }
  | { readonly id: number; readonly act: 'read'; readonly seen?: readonly [number, number] }
  | { readonly id: number; readonly act: 'save' | 'save-and-die'; readonly cents: number }

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never

export async function startNode(urls: readonly string[], redisUrl?: string): Promise<Node> {
  const child = fork(import.meta.filename, [urls.join(','), redisUrl ?? ''], { execArgv: [] })
  const waiting = new Map<number, { resolve: (value: number | null) => void; reject: (error: Error) => void }>()
  let lastId = 0
  child.on('message', ({ id, value, error }: { id: number; value: number | null; error?: string }) => {
    const asked = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) asked?.resolve(value)
    else asked?.reject(new Error(error))
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  void exited.then(() => {
    for (const { reject } of waiting.values()) reject(new Error('the process has ended'))
  })
  const ask = (request: WithoutId<Request>) =>
    new Promise<number | null>((resolve, reject) => {
      const id = ++lastId
      waiting.set(id, { resolve, reject })
      child.send({ id, ...request })
    })
  await ready(child)
  return {
    read: (seen) => ask(seen === undefined ? { act: 'read' } : { act: 'read', seen }),
    async holdLoad() {
      const held = ask({ act: 'hold' })
      await ask({ act: 'holding' })
      return {
        async release() {
          await ask({ act: 'release' })
          return held
        },
      }
    },
    peek: () => ask({ act: 'peek' }),
    save: async (cents) => Number(await ask({ act: 'save', cents })),
    async saveAndDie(cents) {
      ask({ act: 'save-and-die', cents }).catch(() => undefined)
      await exited
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      await ask({ act: 'stop' })
      child.disconnect()
      await exited
    },
  }
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('message', () => resolve())
    child.once('exit', (code) => reject(new Error(`the process ended with ${code} before it was ready`)))
  })
}

class CachingNode {
  readonly #cluster: OpenCluster
  readonly #caching: Caching
  #release: (() => void) | undefined
  #reached: (() => void) | undefined
  readonly #holding = new Promise<void>((resolve) => {
    this.#reached = resolve
  })

  constructor(cluster: OpenCluster, caching: Caching) {
    this.#cluster = cluster
    this.#caching = caching
  }

  async act(request: Request): Promise<number | null> {
    switch (request.act) {
      case 'read':
        return this.#read(request.seen)
      case 'hold':
        return this.#hold()
      case 'holding':
        await this.#holding
        return null
      case 'release':
        this.#release?.()
        return null
      case 'peek':
        return (await this.#caching.caches(prices).get('kite')) ?? null
      case 'save':
      case 'save-and-die':
        return this.#save(request.cents, request.act === 'save-and-die')
      case 'stop':
        await this.#caching.stop({ deadlineAtMs: Date.now() + 2_000 })
        await this.#cluster.close({ deadlineAtMs: Date.now() + 2_000 })
        return null
    }
  }

  #read(seen?: readonly [number, number]): Promise<number | null> {
    const caches = seen === undefined ? this.#caching.caches : this.#caching.seeing(new Map([seen]))
    return caches(prices).getOrLoad('kite', { tags: TAGS }, async (reader) => {
      const [row] = await reader.home.query<{ cents: number }>(READ)
      return row?.cents ?? null
    })
  }

  #hold(): Promise<number | null> {
    const gate = new Promise<void>((resolve) => {
      this.#release = resolve
    })
    return this.#caching.caches(prices).getOrLoad('kite', { tags: TAGS }, async (reader) => {
      const [row] = await reader.home.query<{ cents: number }>(READ)
      this.#reached?.()
      await gate
      return row?.cents ?? null
    })
  }

  #save(cents: number, dies: boolean): Promise<number> {
    return this.#cluster.home.transaction(async (tx) => {
      // Before the hook that raises the fences.
      if (dies) tx.afterCommit(() => process.kill(process.pid, 'SIGKILL'))
      const [row] = await tx.query<{ xid: string }>(SAVE, [cents])
      invalidate(tx, TAGS, newContext())
      return Number(row?.xid)
    })
  }
}

const READ = `SELECT cents FROM price WHERE sku = 'kite'`

const SAVE = `UPDATE price SET cents = $1 WHERE sku = 'kite' RETURNING pg_current_xact_id()::text AS xid`

async function serve(urls: readonly string[], redisUrl: string): Promise<void> {
  const cluster = await openCluster({ urls, connectionsMax: 8 })
  await cluster.loadDirectory()
  const second = redisUrl === '' ? {} : { second: { url: redisUrl, prefix: 'fleet' } }
  const node = new CachingNode(cluster, await startCaching({ cluster, ...second }))
  process.on('message', (request: Request) => {
    node.act(request).then(
      (value) => process.send?.({ id: request.id, value }),
      (error: unknown) => process.send?.({ id: request.id, value: null, error: String(error) }),
    )
  })
  process.send?.({ id: 0, value: null })
}

if (process.argv[1] === import.meta.filename) {
  const [urls = '', redisUrl = ''] = process.argv.slice(2)
  await serve(urls.split(','), redisUrl)
}
