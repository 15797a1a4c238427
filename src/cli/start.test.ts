import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openCluster, startEmbeddedPostgres } from '../data/index.ts'
import { until } from '../testing/index.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BIN = join(ROOT, 'bin', 'groundswell.js')
const APP = join(ROOT, 'examples', 'tickets', 'app.ts')

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groundswell-start-'))
})
after(() => rm(folder, { recursive: true, force: true }))

type Run = {
  readonly child: ChildProcess
  readonly output: () => { readonly stdout: string; readonly stderr: string }
  readonly exited: Promise<number | NodeJS.Signals>
  /** Waits for a line on either stream. */
  readonly says: (line: RegExp) => Promise<void>
}

/** A command in a process group of its own, as a shell with job control starts it. */
function launch(command: readonly string[], env: Readonly<Record<string, string>> = {}): Run {
  const [file = '', ...args] = command
  const ports = { GATEWAY_PORT: '0', ADMIN_PORT: '0', CONSOLE_PORT: '0', PORT: '0', SHARDS: '2' }
  const child = spawn(file, args, {
    cwd: ROOT,
    env: { ...process.env, ...ports, DATA_DIR: join(folder, 'data'), ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'))
  })
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  return {
    child,
    output: () => ({ stdout, stderr }),
    exited,
    async says(line) {
      await until(() => line.test(stdout + stderr) || hasEnded(), { timeoutMs: 60_000, what: `${line}` })
      assert.match(stdout + stderr, line)
    },
  }
}

const groundswell = (args: readonly string[], env?: Readonly<Record<string, string>>) =>
  launch([process.execPath, BIN, ...args], env)

/** Sends a signal to the whole process group, as a terminal does. */
function toGroup({ child }: Run, signal: NodeJS.Signals): void {
  process.kill(-(child.pid as number), signal)
}

async function leftBehind(dataDir: string): Promise<readonly string[]> {
  const names = [...(await readdir(dataDir)), ...(await readdir(join(dataDir, 'postgres')))]
  return names.filter((name) => /\.lock$|postmaster\.pid|connection\.json|\.new/.test(name))
}

test('Ctrl-C during npm start, whatever it is at, ends with 0 and leaves nothing behind; the next start works', async () => {
  const dataDir = join(folder, 'npm')
  const npm = () => launch(['npm', 'start'], { DATA_DIR: dataDir })
  for (const moment of [/^creating the database folder/m, /applied groundswell\.data/]) {
    const started = npm()
    await started.says(moment)
    toGroup(started, 'SIGINT')
    assert.equal(await started.exited, 0, `${moment}: ${JSON.stringify(started.output())}`)
    assert.match(started.output().stderr, /^stopped$/m)
    assert.deepEqual(await leftBehind(dataDir), [], `${moment}`)
  }
  const whole = npm()
  await whole.says(/^ready in/m)
  toGroup(whole, 'SIGINT')
  assert.equal(await whole.exited, 0)
  assert.deepEqual(await leftBehind(dataDir), [])
})

test('SIGTERM during a start is obeyed as well', async () => {
  const started = groundswell(['start', APP])
  await started.says(/creating database shard_0/)
  started.child.kill('SIGTERM')
  assert.equal(await started.exited, 0, started.output().stderr)
  assert.deepEqual(await leftBehind(join(folder, 'data')), [])
})

test('with --json a start prints one line of addresses; a group that is not there is refused by the known ones; a database that dies ends it with 1 and one line', async () => {
  const started = groundswell(['start', APP, '--json'])
  await until(() => started.output().stdout.endsWith('\n') || started.child.exitCode !== null, { timeoutMs: 60_000 })
  const ready = JSON.parse(started.output().stdout) as { ready: boolean; gateway: string; databases: string }
  assert.deepEqual([ready.ready, ready.databases], [true, 'embedded'])
  assert.match(ready.gateway, /^http:\/\/localhost:\d+$/)
  for (const command of ['lag', 'dlq', 'redrive']) {
    const asked = groundswell(['events', command, '--group', 'typo'])
    assert.equal(await asked.exited, 1, command)
    assert.match(asked.output().stderr, /^error CLI_GROUP_UNKNOWN: .*"typo"; there is: [a-z-]+.*\n$/)
  }
  const pidFile = join(folder, 'data', 'postgres', 'postmaster.pid')
  process.kill(Number((await readFile(pidFile, 'utf8')).split('\n')[0]), 'SIGQUIT')
  assert.equal(await started.exited, 1)
  const errors = started
    .output()
    .stderr.split('\n')
    .filter((line) => line.startsWith('error '))
  assert.equal(errors.length, 1, started.output().stderr)
  assert.match(errors[0] ?? '', /^error RUNTIME_DATABASE_GONE: .*postgres\.log says why/)
})

test('a rejection that nobody handles is logged once with its stack, and ends it with 1, drained', async () => {
  const reject = `process.on('SIGUSR2', () => { Promise.reject(new Error('the await was forgotten')) })`
  const started = groundswell(['start', APP], { NODE_OPTIONS: `--import=data:text/javascript,${encodeURI(reject)}` })
  await started.says(/^ready in/m)
  started.child.kill('SIGUSR2')
  assert.equal(await started.exited, 1)
  const { stderr } = started.output()
  const logged = stderr.split('\n').filter((line) => line.startsWith('{') && line.includes('await was forgotten'))
  assert.equal(logged.length, 1, stderr)
  const { level, err } = JSON.parse(logged[0] ?? '') as { level: number; err: { stack: string } }
  assert.equal(level, 50)
  assert.match(err.stack, /^Error: the await was forgotten\n +at /)
  assert.match(stderr, /^error RUNTIME_REJECTION_UNHANDLED: .*the await was forgotten; its stack is in the log$/m)
  assert.deepEqual(await leftBehind(join(folder, 'data')), [])
})

test('a reader of the output that goes away stops it in order', async () => {
  const started = groundswell(['database', '--json'])
  started.child.stdout?.destroy()
  assert.equal(await started.exited, 0, started.output().stderr)
  assert.deepEqual(await leftBehind(join(folder, 'data')), [])
})

test('after kill -9 the next start takes the PostgreSQL over, and stops it in order', async () => {
  const killed = groundswell(['database'])
  await killed.says(/^ready/m)
  killed.child.kill('SIGKILL')
  await killed.exited
  const next = groundswell(['database'])
  await next.says(/^ready/m)
  assert.match(next.output().stderr, /^taking over the PostgreSQL/)
  assert.ok((await connectionsMax(next)) >= 4 * 48, 'connections for several processes')
  next.child.kill('SIGTERM')
  assert.equal(await next.exited, 0)
  assert.match(next.output().stderr, /\nstopped\n$/)
  assert.deepEqual(await leftBehind(join(folder, 'data')), [])
})

/** What the server takes that is described by the line for other processes. */
async function connectionsMax(run: Run): Promise<number> {
  const [, urls = ''] = /^export DATABASE_URLS='(.*)'$/m.exec(run.output().stdout) ?? []
  const cluster = await openCluster({ urls: urls.split(','), applicationName: 'test' })
  const [row] = await cluster.home.query<{ max_connections: string }>('SHOW max_connections')
  await cluster.close({ deadlineAtMs: Date.now() + 5_000 })
  return Number(row?.max_connections)
}

test('processes that start at once on empty databases migrate them once, and all run', async () => {
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'shared', 'postgres'), shards: 2 })
  try {
    const DATABASE_URLS = server.urls.join(',')
    const parts = ['ticket-service', 'points-service', 'gateway']
    const runs = parts.map((part) => groundswell(['start', APP, '--only', part, '--json'], { DATABASE_URLS }))
    await Promise.all(runs.map((run) => run.says(/"ready":true/)))
    for (const run of runs) run.child.kill('SIGTERM')
    assert.deepEqual(await Promise.all(runs.map((run) => run.exited)), [0, 0, 0])
  } finally {
    await server.stop({ deadlineAtMs: Date.now() + 20_000 })
  }
})
