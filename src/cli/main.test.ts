import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'

import { until } from '../testing/index.ts'

const BIN = fileURLToPath(new URL('../../bin/groundswell.js', import.meta.url))

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groundswell-cli-'))
})
after(() => rm(folder, { recursive: true, force: true }))

/** Runs the command line as a user does, in an empty folder, without a terminal. */
async function groundswell(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, DATA_DIR: join(folder, 'data'), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, stdout, stderr }
}

test('an unknown flag is refused with the nearest known one', async () => {
  const { code, stderr, stdout } = await groundswell(['start', 'app.ts', '--onyl', 'gateway'])
  assert.equal(code, 2)
  assert.match(stderr, /unknown option '--onyl'\n\(Did you mean --only\?\)/)
  assert.equal(stdout, '')
})

test('an unknown command is refused with the nearest known one', async () => {
  const { code, stderr } = await groundswell(['shards', 'lokate', '1'])
  assert.equal(code, 2)
  assert.match(stderr, /unknown command 'lokate'\n\(Did you mean locate\?\)/)
})

const COMMANDS = [
  'start',
  'database',
  'shards locate',
  'shards list',
  'events lag',
  'events dlq',
  'events redrive',
  'events topics',
  'events tail',
  'events replay',
  'events skip',
  'events pause',
  'events resume',
  'events check',
  'events release',
  'events docs',
  'api docs',
  'events saga',
  'load',
  'deploy kubernetes',
  'deploy compose',
  'deploy check',
  'gateway export',
  'gateway import',
]
for (const command of [...COMMANDS, 'bench']) {
  test(`${command} --help shows an example`, async () => {
    const { code, stdout } = await groundswell([...command.split(' '), '--help'])
    assert.equal(code, 0)
    assert.match(stdout, new RegExp(`Example:\\n  \\$ (\\w+=\\S+ )*groundswell ${command}`))
  })
}

test('the version is that of the package', async () => {
  assert.match((await groundswell(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/)
})

test('values that make no sense are refused with the flag they belong to', async () => {
  for (const [flag, value] of [
    ['--rate', 'fast'],
    ['--duration', 'long'],
    ['--arrivals', 'often'],
    ['--url', 'localhost'],
    ['--set', 'stock'],
  ] as const) {
    const { code, stderr } = await groundswell(['load', 'orders.ts', flag, value])
    assert.equal(code, 2, flag)
    assert.ok(stderr.includes(flag) && stderr.includes(value), stderr)
  }
})

test('user 12345 lives in bucket 2265 on shard 1 of 4, also when nothing runs, and the output says so', async () => {
  const { code, stdout, stderr } = await groundswell(['shards', 'locate', '12345', '54321'])
  assert.equal(code, 0)
  assert.equal(stdout, '12345: bucket 2265, shard 1\n54321: bucket 3921, shard 1\n')
  assert.match(stderr, /fresh directory of 4 shards/)
})

test('machines read where keys live as JSON', async () => {
  const { stdout } = await groundswell(['shards', 'locate', '12345', 'ada@example.com', '--json'], { SHARDS: '7' })
  const parsed = JSON.parse(stdout) as { directory: string; keys: { key: unknown; bucket: number; shard: number }[] }
  assert.equal(parsed.directory, 'striped')
  assert.deepEqual(parsed.keys[0], { key: 12_345, bucket: 2_265, shard: 12_345 % 7 })
  assert.equal(parsed.keys[1]?.key, 'ada@example.com')
})

test('an operating error is one line with its code and what to do, without a stack', async () => {
  const { code, stderr } = await groundswell(['events', 'lag'])
  assert.equal(code, 1)
  assert.match(stderr, /^error RUNTIME_NOT_RUNNING: nothing runs on .*: start the application, or .*\n$/)
})

test('a data folder that cannot be used is one line that names it, the reason and DATA_DIR', async () => {
  await writeFile(join(folder, 'taken'), '')
  for (const dataDir of ['/dev/null/x', join(folder, 'taken')]) {
    const { code, stderr } = await groundswell(['database'], { DATA_DIR: dataDir })
    const [line = '', ...others] = stderr.split('\n').filter((one) => one.startsWith('error') || one.startsWith(' '))
    assert.ok(line.startsWith(`error RUNTIME_DATA_DIR_UNUSABLE: the data folder ${dataDir} cannot be used (E`), stderr)
    assert.match(line, /: set DATA_DIR to another one$/)
    assert.deepEqual([code, others], [1, []])
  }
})

test('an application that is not there is refused, also when a file of another name ends the same way', async () => {
  await writeFile(join(folder, 'p.ts'), 'export default {}\n')
  const missing = await groundswell(['start', 'app.ts'])
  assert.match(missing.stderr, /^error RUNTIME_APP_INVALID: there is no file .*app\.ts: .*\n$/)
  assert.equal(missing.code, 1)
  const empty = await groundswell(['start', 'p.ts'])
  assert.match(empty.stderr, /^error RUNTIME_APP_INVALID: p\.ts has no application as its default export.*\n$/)
  await writeFile(join(folder, 'broken.ts'), "throw new Error('it has 2 problems:\\n- one\\n- two')\n")
  const broken = await groundswell(['start', 'broken.ts'])
  assert.match(
    broken.stderr,
    /^error RUNTIME_APP_INVALID: .*broken\.ts does not load: .*broken\.ts:1: it has 2 problems: one; two\n$/,
  )
})

test('an Admin API that would be open to everyone is refused before anything is started', async () => {
  await writeFile(join(folder, 'empty.ts'), "export default { name: 'e', services: [], gateway: { consumers: [] } }\n")
  const { code, stdout, stderr } = await groundswell(['start', 'empty.ts'], { ADMIN_HOST: '0.0.0.0' })
  assert.deepEqual([code, stdout], [1, ''])
  assert.match(stderr, /^error RUNTIME_OPTIONS_INVALID: ADMIN_HOST is "0\.0\.0\.0", .*set ADMIN_TOKEN too.*\n$/)
})

test('the help of start names every variable of the environment with its default', async () => {
  const { stdout } = await groundswell(['start', '--help'])
  for (const line of [
    /^ {2}GATEWAY_PORT .*\(default: 8000\)$/m,
    /^ {2}DATABASE_URLS .*one URL per shard/m,
    /^ {2}<NAME>_URL /m,
  ]) {
    assert.match(stdout, line)
  }
  assert.match((await groundswell(['help', 'start'])).stdout, /^ {2}CONNECTIONS_MAX /m)
})

test('databases that do not answer are an error, not a reason to guess', async () => {
  const DATABASE_URLS = 'postgres://shop:secret@127.0.0.1:1/a'
  const { code, stdout, stderr } = await groundswell(['shards', 'locate', '12345'], { DATABASE_URLS })
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /^error DATA_UNREACHABLE: .*127\.0\.0\.1:1/)
  assert.doesNotMatch(stderr, /secret/)
})

test('the database alone runs until it is told to stop, and takes its PostgreSQL with it', async () => {
  const child = spawn(process.execPath, [BIN, 'database'], {
    env: { PATH: process.env.PATH, DATA_DIR: join(folder, 'database') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  await until(() => /^ready/m.test(output) || child.exitCode !== null, { what: `ready:\n${output}` })
  const DATABASE_URLS = /DATABASE_URLS='([^']+)'/.exec(output)?.[1] ?? ''
  assert.equal(DATABASE_URLS.split(',').length, 4, output)
  const pid = Number((await readFile(join(folder, 'database', 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0])
  process.kill(pid, 0)
  // npm passes on the Ctrl-C that the terminal has sent already.
  child.kill('SIGINT')
  child.kill('SIGINT')
  assert.equal(await exited, 0, output)
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  assert.match(output, /stopped\n$/)
})

test('a load without a target, and one without a scenario, say what is missing', async () => {
  const file = join(folder, 'hello.ts')
  await writeFile(
    file,
    `export default { name: 'hello', prepare: async () => ({}), request: () => ({ method: 'GET', path: '/' }) }\n`,
  )
  const target = await groundswell(['load', file, '--rate', '5', '--url', 'http://127.0.0.1:1'])
  assert.equal(target.code, 1)
  assert.match(target.stderr, /^error LOAD_TARGET_UNREACHABLE: /)
  const rate = await groundswell(['load', file])
  assert.match(rate.stderr, /^error LOAD_OPTIONS_INVALID: scenario hello needs a rate/)
  await writeFile(join(folder, 'nothing.ts'), 'export const name = 1\n')
  const scenario = await groundswell(['load', join(folder, 'nothing.ts'), '--rate', '5'])
  assert.match(scenario.stderr, /^error LOAD_SCENARIO_INVALID: .*nothing\.ts/)
})

test('a load reports its figures as JSON on stdout, progress on stderr, and fails when the scenario finds a problem', async () => {
  const server = createServer((_, response) => void response.end('hello'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const file = join(folder, 'fine.ts')
    await writeFile(
      file,
      `export default {
        name: 'fine',
        prepare: async ({ settings }) => settings,
        request: () => ({ method: 'GET', path: '/' }),
        conclude: async ({ fault }) => ({ figures: {}, problems: fault === undefined ? [] : [fault] }),
      }`,
    )
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const args = ['load', file, '--burst', '20', '--url', url, '--json']
    const fine = await groundswell(args)
    assert.equal(fine.code, 0, fine.stderr)
    assert.equal((JSON.parse(fine.stdout) as { report: { succeeded: number } }).report.succeeded, 20)
    const faulty = await groundswell([...args, '--set', 'fault=oversold'])
    assert.equal(faulty.code, 1)
    assert.match(faulty.stdout, /"oversold"/)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

test('an unknown benchmark is answered with those there are', async () => {
  const { code, stderr } = await groundswell(['bench', 'ordres'])
  assert.equal(code, 1)
  assert.match(stderr, /^error CLI_BENCH_UNKNOWN: .*orders/)
})

test('a benchmark has its own flags, and refuses unknown ones', async () => {
  const { code, stderr } = await groundswell(['bench', 'orders', '--secnds', '3'])
  assert.equal(code, 2)
  assert.match(stderr, /--secnds.*\n\(Did you mean --seconds\?\)/)
})
