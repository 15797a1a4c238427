import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../core/index.ts'
import { type MigrationSet, type OpenCluster, openCluster, startEmbeddedPostgres } from '../data/index.ts'

/** Time that connections, then the server, get to end in order. */
const STOP_MS = 10_000

export type TestCluster = {
  readonly cluster: OpenCluster
  readonly urls: readonly string[]
  /** Closes the cluster, ends the server, and removes its folder. */
  stop(): Promise<void>
}

/** A cluster on a real PostgreSQL of its own in a temporary folder. */
export async function startTestCluster(
  options: { readonly shards?: number; readonly migrations?: readonly MigrationSet[] } = {},
): Promise<TestCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-cluster-'))
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), shards: options.shards ?? 4 })
  const remove = async () => {
    await server.stop({ deadlineAtMs: systemClock.now() + STOP_MS })
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const cluster = await openCluster({ urls: server.urls, applicationName: 'groundswell-test' })
    await cluster.migrate(options.migrations ?? [])
    await cluster.loadDirectory()
    return {
      cluster,
      urls: server.urls,
      async stop() {
        await cluster.close({ deadlineAtMs: systemClock.now() + STOP_MS })
        await remove()
      },
    }
  } catch (error) {
    await remove()
    throw error
  }
}
