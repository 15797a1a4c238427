import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { kafkaMissing, rabbitMqMissing, until } from '../testing/index.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BIN = join(ROOT, 'bin', 'groundswell.js')
const SHOP = join(ROOT, 'examples', 'shop', 'app.ts')

let folder: string
const children = new Set<ChildProcess>()
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groundswell-own-broker-'))
})
after(async () => {
  for (const child of children) child.kill('SIGTERM')
  await rm(folder, { recursive: true, force: true })
})

type Ready = { readonly events: string; readonly gateway: string; readonly admin: string }

/** The command, and what it has printed; ended by its signal alone. */
function launch(args: readonly string[], env: Readonly<Record<string, string>>) {
  const ports = { GATEWAY_PORT: '0', ADMIN_PORT: '0', CONSOLE_PORT: '0', SHARDS: '1', EVENTS_PARTITIONS: '2' }
  const child = spawn(process.execPath, [BIN, 'start', SHOP, '--json', ...args], {
    cwd: ROOT,
    env: { ...process.env, ...ports, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  const ready = async (): Promise<Ready> => {
    const said = () => stdout.endsWith('\n') || child.exitCode !== null
    await until(said, { timeoutMs: 120_000, what: 'the start' })
    assert.equal(child.exitCode, null, stderr)
    return JSON.parse(stdout) as Ready
  }
  const stop = async () => {
    child.kill('SIGTERM')
    assert.equal(await exited, 0, stderr)
  }
  return { ready, stop, exited, stderr: () => stderr }
}

for (const [name, missing, address] of [
  ['kafka', await kafkaMissing(), /^kafka:\/\/127\.0\.0\.1:\d+$/],
  ['rabbitmq', rabbitMqMissing(), /^amqp:\/\/127\.0\.0\.1:\d+$/],
] as const) {
  describe(`start --events ${name}`, { skip: missing }, () => {
    test('brings its own broker, whose data outlast a restart, and leaves nothing behind', async () => {
      const dataDir = join(folder, name)
      for (let times = 0; times < 2; times++) {
        const started = launch(['--events', name], { DATA_DIR: dataDir })
        const { events } = await started.ready()
        assert.match(events, address)
        await started.stop()
        const reached = await fetch(events.replace(/^\w+/, 'http')).then(
          () => true,
          () => false,
        )
        assert.equal(reached, false, 'the broker is gone')
      }
      assert.ok((await readdir(dataDir)).includes(name))
    })
  })
}

test('a broker that cannot be started here is an error that says how to get it, before anything is started', async () => {
  const dataDir = join(folder, 'none')
  const started = launch(['--events', 'rabbitmq'], { PATH: folder, DATA_DIR: dataDir })
  assert.equal(await started.exited, 1)
  assert.match(started.stderr(), /^error CLI_BROKER_MISSING: no rabbitmq-server: install it, e\.g\. apt-get install/m)
  await assert.rejects(readdir(dataDir), { code: 'ENOENT' })
})

test('a broker of its own beside EVENTS_URL, or for a part of an application, is refused', async () => {
  const both = launch(['--events', 'kafka'], { EVENTS_URL: 'kafka://127.0.0.1:9', DATA_DIR: join(folder, 'none') })
  assert.equal(await both.exited, 1)
  assert.match(both.stderr(), /^error RUNTIME_OPTIONS_INVALID: EVENTS_URL is set/m)
  const part = launch(['--events', 'kafka', '--only', 'gateway'], { DATA_DIR: join(folder, 'none') })
  assert.equal(await part.exited, 1)
  assert.match(part.stderr(), /^error RUNTIME_OPTIONS_INVALID: parts of an application share a broker/m)
})
