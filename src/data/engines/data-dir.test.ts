import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { lockDataDir } from './data-dir.ts'

let dir: string
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'groundswell-lock-'))
})
after(() => rm(dir, { recursive: true }))

const file = () => join(dir, 'groundswell.lock')
/** More than any kernel hands out. */
const NO_PID = 2 ** 30

test('a locked folder is refused, naming the pid that holds it, until it is released', async () => {
  const lock = await lockDataDir(dir)
  await assert.rejects(lockDataDir(dir), (error: { code: string; message: string }) => {
    assert.equal(error.code, 'DATA_DIR_LOCKED')
    assert.match(error.message, new RegExp(`pid ${process.pid}.*DATA_DIR`))
    return true
  })
  await lock.release()
  await (await lockDataDir(dir)).release()
  assert.deepEqual(await readdir(dir), [])
})

test('locks of processes that are gone, or whose pid another process has by now, are taken over', async () => {
  const stale = [
    JSON.stringify({ pid: NO_PID, startedAt: '1' }),
    ...(process.platform === 'linux' ? [JSON.stringify({ pid: process.pid, startedAt: '1' })] : []),
    'not a lock of ours',
  ]
  for (const text of stale) {
    await writeFile(file(), text)
    await (await lockDataDir(dir)).release()
  }
})

test('of many that find a stale lock at once, one gets it', async () => {
  await writeFile(file(), JSON.stringify({ pid: NO_PID, startedAt: '1' }))
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => lockDataDir(dir)))
  const taken = outcomes.filter((outcome) => outcome.status === 'fulfilled')
  assert.equal(taken.length, 1)
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') assert.equal(outcome.reason.code, 'DATA_DIR_LOCKED')
  }
  await taken[0]?.value.release()
  assert.deepEqual(await readdir(dir), [])
})
