import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, open, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { until } from '../../testing/index.ts'
import { configFileRefused } from '../config/channels.ts'
import { CONFIG_FILE_BYTES_MAX } from '../config/limits.ts'
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
  return { folder, path, file, store, names }
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

test('a file that Kubernetes mounts from a ConfigMap is followed when its links are swapped', async (context) => {
  const { folder, path, file, names } = await follow(context, documentOf('old'))
  // As the kubelet does it: the file is a link into `..data`, which is a link to a folder for each version.
  const publish = async (version: string, name: string) => {
    await mkdir(join(folder, version))
    await writeFile(join(folder, version, 'kong.yml'), documentOf(name))
    await symlink(version, join(folder, '..data_tmp'))
    await rename(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  await publish('..2026_01', 'a')
  await rm(path)
  await symlink('..data/kong.yml', path)
  await file.start()
  assert.equal(names(), 'a')
  await publish('..2026_02', 'b')
  await rm(join(folder, '..2026_01'), { recursive: true })
  await until(() => names() === 'b', { what: 'the next version' })
})

test('a file that is being written counts when it is whole', async (context) => {
  const { path, file, names } = await follow(context, documentOf('a'))
  const seen = new Set<string>()
  await file.start()
  const text = `_format_version: "3.0"\nservices:\n${['b', 'c'].map((name) => `- { name: ${name}, host: h }\n`).join('')}`
  const handle = await open(path, 'w')
  for (const line of text.split(/(?<=\n)/)) {
    await handle.write(line)
    seen.add(names())
  }
  await handle.close()
  await until(() => names() === 'b,c', { what: 'the whole file' })
  assert.deepEqual([...seen], ['a'])
})

test('what is no file, or no UTF-8, or too large, is refused', async (context) => {
  const { path, file } = await follow(context, documentOf('a'))
  const refused = (what: RegExp) => assert.rejects(file.start(), { code: 'GATEWAY_CONFIG_INVALID', message: what })
  await writeFile(path, Buffer.from('_format_version: "3.0"\nservices: [{ name: caf\xe9, host: h }]\n', 'latin1'))
  await refused(/is not in UTF-8/)
  await writeFile(path, Buffer.from(documentOf('a'), 'utf16le'))
  await refused(/cannot be used/)
  await truncate(path, CONFIG_FILE_BYTES_MAX + 1)
  await refused(/bytes, more than/)
  await writeFile(path, '')
  await refused(/expected an object/)
  await rm(path)
  await refused(/ENOENT/)
  await mkdir(path)
  await refused(/is no file/)
  await rm(path, { recursive: true })
  // Nobody ever writes to this pipe.
  execFileSync('mkfifo', [path])
  await refused(/is no file/)
})

test('a file may begin with a byte order mark', async (context) => {
  const { file, names } = await follow(context, `\ufeff${documentOf('a')}`)
  await file.start()
  assert.equal(names(), 'a')
})
