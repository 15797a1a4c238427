import assert from 'node:assert/strict'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { until } from '../../testing/index.ts'
import { configFileRefused } from '../config/channels.ts'
import { plugins } from '../plugins/index.ts'
import { followConfigFile } from './config-file.ts'
import { createDeclarativeStore } from './declarative-store.ts'

const documentOf = (...names: string[]) =>
  JSON.stringify({ _format_version: '3.0', services: names.map((name) => ({ name, host: name })) })

async function follow(context: TestContext, text: string) {
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-config-'))
  const path = join(folder, 'kong.yml')
  await writeFile(path, text)
  const store = createDeclarativeStore({ plugins })
  const file = followConfigFile({ path, store })
  context.after(async () => {
    await file.stop({ deadlineAtMs: Date.now() })
    await rm(folder, { recursive: true, force: true })
  })
  const names = () =>
    store
      .snapshot()
      .services.map(({ name }) => name)
      .toSorted()
      .join()
  return { path, file, store, names }
}

test('a changed file is in force without a restart, written in place or replaced', async (context) => {
  const { path, file, names } = await follow(context, documentOf('a'))
  await file.start()
  assert.equal(names(), 'a')
  await writeFile(path, documentOf('a', 'b'))
  await until(() => names() === 'a,b', { what: 'the file that was written in place' })
  await writeFile(`${path}.new`, documentOf('c'))
  await rename(`${path}.new`, path)
  await until(() => names() === 'c', { what: 'the file that took its place' })
})

test('a file with a mistake is refused once, and what was in force stays until it is repaired', async (context) => {
  const { path, file, names } = await follow(context, documentOf('a'))
  const refused: unknown[] = []
  context.after(configFileRefused.subscribe(({ error }) => refused.push(error)))
  await file.start()
  await writeFile(path, '{"_format_version": "3.0", "services": [{"name": "x"}]}')
  await until(() => refused.length > 0, { what: 'the refusal' })
  assert.match(String(refused[0]), /host="required field missing"/)
  assert.equal(names(), 'a')
  await rm(path)
  await until(() => refused.length > 1, { what: 'the file that is away' })
  await writeFile(path, documentOf('repaired'))
  await until(() => names() === 'repaired', { what: 'the repaired file' })
  assert.equal(refused.length, 2)
})

test('a start with a file that cannot be used fails and says why', async (context) => {
  const { file } = await follow(context, 'services: [')
  await assert.rejects(file.start(), { code: 'GATEWAY_CONFIG_INVALID' })
})
