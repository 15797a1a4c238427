import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { freePort, until } from '../src/testing/index.ts'
import { type ShopProcess, startShop, temporaryDataDir } from './shop-process.ts'

/** `groundswell dev` over an application that is changed while it runs. */
let dataDir: Awaited<ReturnType<typeof temporaryDataDir>>
let folder: string
let running: ShopProcess
let url = ''

const write = (text: string) => writeFile(join(folder, 'app.ts'), text)

const appSaying = (word: string) => `
import { app, endpoints, handle, reply, service } from 'groundswell'
import { z } from 'zod'

const hello = endpoints('hello-service').get('/hello', { replies: { 200: z.object({ word: z.string() }) } })
const routes = [handle(hello, async () => reply(200, { word: '${word}' }))]
export default app('dev', { services: [service('hello-service', { routes })] })
`

before(async () => {
  dataDir = await temporaryDataDir()
  // Within the package, whose name the application imports.
  folder = await mkdtemp(join(import.meta.dirname, '.dev-'))
  await write(appSaying('one'))
  const port = await freePort()
  url = `http://127.0.0.1:${port}/hello`
  const env = { SHARDS: '1', GATEWAY_PORT: String(port) }
  running = await startShop(dataDir.path, { command: 'dev', app: join(folder, 'app.ts'), env })
})

after(async () => {
  running?.signal('SIGTERM')
  await running?.exited
  await rm(folder, { recursive: true, force: true })
  await dataDir.remove()
})

async function word(): Promise<string | undefined> {
  // Bounded: it may be asked while the process that took its connection is replaced.
  return fetch(url, { signal: AbortSignal.timeout(5_000) }).then(
    async (answer) => ((await answer.json()) as { word?: string }).word,
    () => undefined,
  )
}

const says = (expected: string) => until(async () => (await word()) === expected, { timeoutMs: 60_000, what: expected })

test('what is written is in force, and a file that does not compile is waited for', async () => {
  await says('one')
  await write(appSaying('two'))
  await says('two')
  await write('export default app(')
  await until(() => running.output().includes('RUNTIME_APP_INVALID'), { timeoutMs: 60_000, what: 'the error' })
  assert.equal(await word(), undefined)
  await write(appSaying('three'))
  await says('three')
})

test('Ctrl-C ends it and what it started with 0', async () => {
  running.signal('SIGINT', 'group')
  assert.equal(await running.exited, 0)
  assert.equal(await word(), undefined)
  assert.match(running.output(), /^stopped$/m)
})
