import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accepts } from './accepts.ts'
import { findExecutable } from './executable-fixture.ts'
import { freePort } from './free-port.ts'
import { type ServerProcess, startServerProcess, whenReady } from './server-process.ts'

/** A real Redis of a test's own, on a free port of loopback. What it had not saved, a crash loses. */
export type RedisServer = ServerProcess & {
  readonly url: string
  /** Ends it for good and removes its folder. */
  stop(): Promise<void>
}

/** Why a test that needs Redis cannot run here, for its `skip`; false when it can. */
export function redisMissing(): string | false {
  if (binary() !== undefined) return false
  return 'no redis-server on the PATH: install it, e.g. apt-get install redis-server or brew install redis'
}

export async function startRedisServer(): Promise<RedisServer> {
  const path = binary()
  if (path === undefined) throw new Error(String(redisMissing()))
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-redis-'))
  const port = await freePort()
  const server = await startServerProcess(() => spawnServer(path, port, folder), 'redis-server')
  return {
    ...server,
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      await server.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function binary(): string | undefined {
  return findExecutable('redis-server', 'valkey-server')
}

async function spawnServer(path: string, port: number, folder: string): Promise<ChildProcess> {
  const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no']
  const child = spawn(path, options, { stdio: 'ignore' })
  return whenReady(child, () => accepts(port), { name: 'redis-server' })
}
