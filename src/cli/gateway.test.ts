import assert from 'node:assert/strict'
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { writeOwn } from './gateway.ts'

test('a file with keys in it is for its owner only, even if it was there and was not', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-export-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'kong.yml')
  for (const text of ['first', 'other']) {
    await writeOwn(path, text)
    assert.deepEqual([await readFile(path, 'utf8'), (await stat(path)).mode & 0o777], [text, 0o600])
    await writeFile(path, 'a longer text than either')
    await chmod(path, 0o644)
  }
})
