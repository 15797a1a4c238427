import { join } from 'node:path'
import { startEmbeddedPostgres } from '../src/data/index.ts'
import { temporaryDataDir } from './shop-process.ts'

/** Empty databases on a PostgreSQL of their own, for processes that are given `DATABASE_URLS`. */
export async function startTestDatabases(shards: number): Promise<{ urls: readonly string[]; stop(): Promise<void> }> {
  const dataDir = await temporaryDataDir()
  const server = await startEmbeddedPostgres({ dataDir: join(dataDir.path, 'postgres'), shards })
  return {
    urls: server.urls,
    async stop() {
      await server.stop({ deadlineAtMs: Date.now() + 10_000 })
      await dataDir.remove()
    },
  }
}
