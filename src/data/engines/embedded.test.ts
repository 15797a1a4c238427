import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { isAlive } from './data-dir.ts'
import { startEmbeddedPostgres } from './embedded.ts'

let folder: string
let dataDir: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groundswell-embedded-'))
  dataDir = join(folder, 'postgres')
})
after(() => rm(folder, { recursive: true }))

const soon = () => ({ deadlineAtMs: Date.now() + 20_000 })

async function ask(url: string | undefined, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

test('a first start makes the databases, on loopback behind a password; later starts keep data and port', async () => {
  const first = await startEmbeddedPostgres({ dataDir, shards: 2 })
  assert.equal(first.adopted, false)
  await ask(first.urls[1], 'CREATE TABLE public.kept (id int)')
  await ask(first.urls[1], 'INSERT INTO public.kept VALUES (7)')
  const settings = await ask(
    first.urls[0],
    `SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'wal_level',
      'listen_addresses', 'server_encoding', 'data_checksums', 'unix_socket_directories') ORDER BY name`,
  )
  assert.deepEqual(Object.fromEntries(settings.map(({ name, setting }) => [name, setting])), {
    data_checksums: 'on',
    fsync: 'on',
    full_page_writes: 'on',
    listen_addresses: '127.0.0.1',
    server_encoding: 'UTF8',
    synchronous_commit: 'on',
    unix_socket_directories: join(await realpath(folder), 'postgres'),
    wal_level: 'logical',
  })
  const wrong = new URL(first.urls[0] ?? '')
  wrong.password = 'guess'
  await assert.rejects(ask(wrong.href, 'SELECT 1'), { code: '28P01' })
  assert.equal((await stat(`${dataDir}.password`)).mode & 0o777, 0o600)
  await first.stop(soon())
  assert.equal(isAlive(first.pid), false)
  const second = await startEmbeddedPostgres({ dataDir, shards: 2, connectionsMax: 90 })
  assert.equal(second.port, first.port)
  assert.deepEqual(await ask(second.urls[0], 'SHOW max_connections'), [{ max_connections: '90' }])
  assert.deepEqual(await ask(second.urls[1], 'SELECT id FROM public.kept'), [{ id: 7 }])
  await second.stop(soon())
  await second.stop(soon())
})

test('a folder in use, another number of shards and another version are refused without harm', async () => {
  const running = await startEmbeddedPostgres({ dataDir, shards: 2 })
  await assert.rejects(startEmbeddedPostgres({ dataDir, shards: 2 }), { code: 'DATA_DIR_LOCKED' })
  await running.stop(soon())
  await assert.rejects(startEmbeddedPostgres({ dataDir, shards: 3 }), /holds 2 shard\(s\), not 3/)
  await assert.rejects(startEmbeddedPostgres({ dataDir, shards: 1 }), { code: 'DATA_SHARDS_MISMATCH' })
  const versionFile = join(dataDir, 'PG_VERSION')
  const version = await readFile(versionFile, 'utf8')
  await writeFile(versionFile, '9\n')
  await assert.rejects(startEmbeddedPostgres({ dataDir, shards: 2 }), /belongs to PostgreSQL 9,/)
  await writeFile(versionFile, version)
  const again = await startEmbeddedPostgres({ dataDir, shards: 2 })
  assert.deepEqual(await ask(again.urls[1], 'SELECT id FROM public.kept'), [{ id: 7 }])
  await again.stop(soon())
})

test('a port asked for that is in use is refused; a remembered one that is in use is replaced', async () => {
  const port = Number(await readFile(`${dataDir}.port`, 'utf8'))
  const blocker = createServer().listen(port, '127.0.0.1')
  await once(blocker, 'listening')
  await assert.rejects(startEmbeddedPostgres({ dataDir, shards: 2, port }), { code: 'DATA_PORT_IN_USE' })
  const moved = await startEmbeddedPostgres({ dataDir, shards: 2 })
  assert.notEqual(moved.port, port)
  await moved.stop(soon())
  blocker.close()
})

test('a password file that does not fit, and none at all, are refused in words, and nothing is left running', async () => {
  const file = `${dataDir}.password`
  const password = await readFile(file, 'utf8')
  await writeFile(file, 'another\n')
  await assert.rejects(startEmbeddedPostgres({ dataDir, shards: 2 }), {
    code: 'DATA_ENGINE_FAILED',
    message: /refuses the password in .*postgres\.password: restore that file/,
  })
  await rm(file)
  await assert.rejects(startEmbeddedPostgres({ dataDir, shards: 2 }), {
    code: 'DATA_ENGINE_FAILED',
    message: /postgres\.password is missing/,
  })
  await writeFile(file, password, { mode: 0o600 })
  const again = await startEmbeddedPostgres({ dataDir, shards: 2 })
  assert.equal(again.adopted, false)
  await again.stop(soon())
})

test('a server that an owner killed with SIGKILL left behind is taken over, with what was committed', async () => {
  const owner = spawn(process.execPath, ['--input-type=module', '--eval', OWNER], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, DIR: dataDir },
  })
  const [line] = (await once(owner.stdout, 'data')) as [Buffer]
  const left = JSON.parse(String(line)) as { pid: number; url: string }
  await ask(left.url, 'INSERT INTO public.kept VALUES (8)')
  owner.kill('SIGKILL')
  await once(owner, 'exit')
  assert.ok(isAlive(left.pid))
  const next = await startEmbeddedPostgres({ dataDir, shards: 2 })
  assert.deepEqual([next.adopted, next.pid], [true, left.pid])
  assert.deepEqual(await ask(next.urls[1], 'SELECT id FROM public.kept ORDER BY id'), [{ id: 7 }, { id: 8 }])
  await next.stop(soon())
  assert.equal(isAlive(left.pid), false)
})

const OWNER = `
  import { startEmbeddedPostgres } from ${JSON.stringify(new URL('./embedded.ts', import.meta.url).href)}
  const server = await startEmbeddedPostgres({ dataDir: process.env.DIR, shards: 2 })
  console.log(JSON.stringify({ pid: server.pid, url: server.urls[1] }))
  setInterval(() => {}, 1_000)
`

test('a server that crashed recovers what was committed, and its owner is told of the crash', async () => {
  const crashing = await startEmbeddedPostgres({ dataDir, shards: 2 })
  await ask(crashing.urls[1], 'INSERT INTO public.kept VALUES (9)')
  process.kill(crashing.pid, 'SIGQUIT')
  assert.equal(typeof (await crashing.exited), 'string')
  await crashing.stop(soon())
  const recovered = await startEmbeddedPostgres({ dataDir, shards: 2 })
  assert.deepEqual(await ask(recovered.urls[1], 'SELECT max(id) AS id FROM public.kept'), [{ id: 9 }])
  await recovered.stop(soon())
})

test('the server runs in a session of its own, so that signals of a terminal do not reach it', async (context) => {
  if (process.platform !== 'linux') return context.skip('sessions are read from /proc')
  const running = await startEmbeddedPostgres({ dataDir, shards: 2 })
  const fields = (await readFile(`/proc/${running.pid}/stat`, 'utf8')).split(') ')[1]?.split(' ')
  assert.equal(Number(fields?.[3]), running.pid)
  await running.stop(soon())
})

test('a server that does not start says what its log says', async () => {
  await appendFile(join(dataDir, 'postgresql.auto.conf'), 'no_such_setting = 1\n')
  await assert.rejects(startEmbeddedPostgres({ dataDir, shards: 2 }), (error: { code: string; message: string }) => {
    assert.equal(error.code, 'DATA_ENGINE_FAILED')
    assert.match(error.message, /no_such_setting/)
    return true
  })
})
