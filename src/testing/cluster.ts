import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MigrationSet, type OpenCluster, openCluster, startEmbeddedPostgres } from '../data/index.ts'

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
  const cluster = await openCluster({ urls: server.urls, applicationName: 'groundswell-test' })
  await cluster.migrate(options.migrations ?? [])
  await cluster.loadDirectory()
  return {
    cluster,
    urls: server.urls,
    async stop() {
      const deadline = { deadlineAtMs: Date.now() + 10_000 }
      await cluster.close(deadline)
      await server.stop(deadline)
      await rm(folder, { recursive: true, force: true })
    },
  }
}
