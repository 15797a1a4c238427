import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { startTestCluster, type TestCluster } from '../testing/index.ts'
import type { MigrationSet } from './migrate.ts'

let running: TestCluster
const folders: string[] = []
before(async () => {
  running = await startTestCluster({ shards: 3 })
})
after(async () => {
  await running.stop()
  for (const folder of folders) await rm(folder, { recursive: true })
})

async function migrations(
  owner: string,
  files: Readonly<Record<string, string>>,
): Promise<MigrationSet & { write(name: string, sql: string): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-migrations-'))
  folders.push(folder)
  const write = (name: string, sql: string) => writeFile(join(folder, name), sql)
  for (const [name, sql] of Object.entries(files)) await write(name, sql)
  return { owner, folder: pathToFileURL(`${folder}/`), placement: 'sharded', write }
}

async function whereExists(table: string): Promise<boolean[]> {
  const answers = running.cluster.shards.map((shard) =>
    shard.query<{ exists: boolean }>('SELECT to_regclass($1) IS NOT NULL AS exists', [table]),
  )
  return (await Promise.all(answers)).map(([row]) => row?.exists === true)
}

test('sharded migrations reach every shard, home ones only shard 0, and a second run applies nothing', async () => {
  const everywhere = await migrations('a', { '0001_t.sql': 'CREATE TABLE public.a1 (); CREATE TABLE public.a2 ()' })
  const home = { ...(await migrations('b', { '0001_t.sql': 'CREATE TABLE public.b1 ()' })), placement: 'home' as const }
  const lines: string[] = []
  assert.deepEqual(await running.cluster.migrate([everywhere, home], (line) => lines.push(line)), { applied: 4 })
  assert.equal(lines.length, 4)
  assert.deepEqual(await whereExists('public.a2'), [true, true, true])
  assert.deepEqual(await whereExists('public.b1'), [true, false, false])
  assert.deepEqual(await running.cluster.migrate([everywhere, home]), { applied: 0 })
})

test('the files of a folder are found although its URL lacks the last slash', async () => {
  const set = await migrations('slash', { '0001_t.sql': 'CREATE TABLE public.slash ()' })
  const folder = new URL(set.folder.href.slice(0, -1))
  assert.deepEqual(await running.cluster.migrate([{ ...set, folder }]), { applied: 3 })
})

test('a folder that does not exist is refused with its owner, its path and what to do', async () => {
  const folder = pathToFileURL(join(tmpdir(), 'groundswell-no-such-folder'))
  await assert.rejects(running.cluster.migrate([{ owner: 'nowhere', folder, placement: 'home' }]), {
    code: 'DATA_MIGRATION_INVALID',
    message:
      /^the migrations of nowhere cannot be read \(ENOENT.*\): make the folder .*groundswell-no-such-folder\/, or correct migrations of nowhere$/,
  })
})

test('processes that migrate at once apply each file once', async () => {
  const set = await migrations('race', { '0001_t.sql': 'CREATE TABLE public.race ()' })
  const outcomes = await Promise.all([1, 2, 3].map(() => running.cluster.migrate([set])))
  assert.equal(
    outcomes.reduce((sum, { applied }) => sum + applied, 0),
    3,
  )
})

test('a file that fails leaves no trace of itself, names shard, file and line, and the run goes on where it stopped', async () => {
  const bad = 'CREATE TABLE public.c2 ();\n\nSELECT nothing_like_this FROM public.c1;\n'
  const set = await migrations('c', { '0001_one.sql': 'CREATE TABLE public.c1 ()', '0002_two.sql': bad })
  await assert.rejects(running.cluster.migrate([set]), (error: { code: string; message: string }) => {
    assert.equal(error.code, 'DATA_MIGRATION_FAILED')
    assert.match(error.message, /shard 0 .*c\/0002_two\.sql:3: .*nothing_like_this/)
    return true
  })
  // The canary failed, so that the other shards were not touched.
  assert.deepEqual(await whereExists('public.c1'), [true, false, false])
  assert.deepEqual(await whereExists('public.c2'), [false, false, false])
  await set.write('0002_two.sql', 'CREATE TABLE public.c2 ()')
  assert.deepEqual(await running.cluster.migrate([set]), { applied: 5 })
})

test('one shard that fails does not keep the others from finishing, and catches up later', async () => {
  await running.cluster.shards[1]?.query('CREATE TABLE public.d1 (in_the_way int)')
  const set = await migrations('d', { '0001_one.sql': 'CREATE TABLE public.d1 ()' })
  await assert.rejects(running.cluster.migrate([set]), /shard 1 .*d1.* already exists/)
  assert.deepEqual(await whereExists('public.d1'), [true, true, true])
  await running.cluster.shards[1]?.query('DROP TABLE public.d1')
  assert.deepEqual(await running.cluster.migrate([set]), { applied: 1 })
})

test('a file that was edited after it was applied is refused', async () => {
  const set = await migrations('e', { '0001_one.sql': 'CREATE TABLE public.e1 ()' })
  await running.cluster.migrate([set])
  await set.write('0001_one.sql', 'CREATE TABLE public.e1 (id int)')
  await assert.rejects(running.cluster.migrate([set]), { code: 'DATA_MIGRATION_CHANGED' })
})

test('files with a wrong name or the same number are refused before anything runs', async () => {
  const misnamed = await migrations('f', { 'first.sql': 'SELECT 1' })
  await assert.rejects(running.cluster.migrate([misnamed]), { code: 'DATA_MIGRATION_INVALID' })
  const twice = await migrations('g', { '0001_a.sql': 'SELECT 1', '0001_b.sql': 'SELECT 1' })
  await assert.rejects(running.cluster.migrate([twice]), /two files with number 0001/)
})
