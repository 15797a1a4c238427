import assert from 'node:assert/strict'
import { mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { until } from '../../testing/index.ts'
import { deliveryFailed } from '../channels.ts'
import { createCatalog } from '../config/catalog.ts'
import type { PluginEntity } from '../config/entities.ts'
import { prepareInsert } from '../config/prepare.ts'
import { addRoute, ask, ConfigFixture, startGateway } from '../gateway-fixture.ts'
import { createFileLog } from './file-log.ts'

async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-file-log-'))
  context.after(() => rm(folder, { recursive: true }))
  return folder
}

function entityOf(folder: string | undefined, config: Record<string, unknown>): PluginEntity {
  const catalog = createCatalog([createFileLog(folder)])
  return prepareInsert(catalog, catalog.kind('plugins'), { name: 'file-log', config }) as unknown as PluginEntity
}

async function start(context: TestContext, folder: string, settings: Record<string, unknown>) {
  const config = new ConfigFixture()
  addRoute(config, { name: 'everything', paths: ['/'] })
  config.replace({ ...config.snapshot(), plugins: [entityOf(folder, settings)] })
  const local = { kind: 'local', dispatch: (_: unknown, response: ServerResponse) => void response.end() } as const
  const plugins = [createFileLog(folder)]
  const { port } = await startGateway(context, { config, resolve: () => local, plugins })
  return port
}

const linesOf = async (path: string) => (await readFile(path, 'utf8')).trimEnd().split('\n')

test('each request is a line of JSON, in a file that only its owner writes', async (context) => {
  const folder = await temporaryFolder(context)
  const path = join(folder, 'access.log')
  const port = await start(context, folder, { path })
  await Promise.all([ask(port, '/a'), ask(port, '/b')])
  await until(async () => (await stat(path).catch(() => undefined))?.size && (await linesOf(path)).length === 2)
  const uris = (await linesOf(path)).map((line) => JSON.parse(line).request.uri)
  assert.deepEqual(uris.toSorted(), ['/a', '/b'])
  assert.equal((await stat(path)).mode & 0o777, 0o640)
})

test('with reopen, a file that was renamed away is followed by a new one', async (context) => {
  const folder = await temporaryFolder(context)
  const path = join(folder, 'access.log')
  const port = await start(context, folder, { path, reopen: true })
  const exists = async () => (await stat(path).catch(() => undefined)) !== undefined
  await ask(port, '/before')
  await until(exists, { what: 'the first file' })
  await rename(path, `${path}.1`)
  await ask(port, '/after')
  await until(exists, { what: 'the second file' })
  await until(async () => (await linesOf(path))[0] !== '', { what: 'its line' })
  assert.match((await linesOf(path))[0] ?? '', /"uri":"\/after"/)
})

test('paths outside of the folder are refused, and every path without a folder', () => {
  for (const path of [
    '/etc/cron.d/x',
    '/var/log/gateway/../x',
    'relative.log',
    '/var/log/gateway',
    '/var/log/gateway2/x',
  ]) {
    assert.throws(() => entityOf('/var/log/gateway', { path }), /must be a file below \/var\/log\/gateway/, path)
  }
  assert.equal(entityOf('/var/log/gateway', { path: '/var/log/gateway/a.log' }).config.reopen, false)
  assert.throws(() => entityOf(undefined, { path: '/tmp/a.log' }), /set GATEWAY_LOG_DIR/)
})

test('a link does not lead out of the folder: what would have been written is counted as lost', async (context) => {
  const [folder, outside] = [await temporaryFolder(context), await temporaryFolder(context)]
  const path = join(folder, 'access.log')
  await symlink(join(outside, 'target'), path)
  const lost: string[] = []
  context.after(deliveryFailed.subscribe(({ reason }) => lost.push(reason)))
  const port = await start(context, folder, { path })
  assert.equal((await ask(port, '/')).status, 200)
  await until(() => lost.length === 1, { what: 'the refusal' })
  assert.match(lost[0] ?? '', /ELOOP/)
})
