import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accepts } from './accepts.ts'
import { findExecutable } from './executable-fixture.ts'
import { freePort } from './free-port.ts'
import { until } from './until.ts'

/** A real Redis of a test's own, on a free port of loopback. */
export type RedisServer = {
  readonly url: string
  /** Ends it at once, as a crash does: what was not saved is lost. */
  kill(): Promise<void>
  /** Stops it from answering, its connections open, until it is resumed. */
  pause(): void
  resume(): void
  /** Starts it again on the same port, with what was saved. */
  restart(): Promise<void>
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
  const start = () => spawnServer(path, port, folder)
  let child = await start()
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exited
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    kill,
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async restart() {
      await kill()
      child = await start()
    },
    async stop() {
      await kill()
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
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)))
  })
  ended.catch(() => undefined)
  await Promise.race([until(() => accepts(port), { what: 'redis-server accepts connections' }), ended])
  return child
}
