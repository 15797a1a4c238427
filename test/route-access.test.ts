import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { app, endpoints, handle, reply, service } from '../src/index.ts'
import { startApp } from '../src/runtime/index.ts'

/** What the gateway lets in, and what the service answers, is of one and the same route. */
const at = endpoints('user-service')
const who = { 200: z.object({ route: z.string() }) }
const one = { params: z.object({ id: z.string() }), replies: who }
const saying = (route: string) => async () => reply(200, { route })

const shop = app('access', {
  services: [
    service('user-service', {
      routes: [
        handle(at.get('/users/:id', one), saying('one')),
        handle(at.get('/users/me', { access: 'key', replies: who }), saying('me')),
        handle(at.get('/accounts/:id', { ...one, access: 'key' }), saying('account')),
        handle(at.get('/accounts/of', { replies: who }), saying('public')),
      ],
    }),
  ],
})

let dataDir: string
let running: Awaited<ReturnType<typeof startApp>>

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'groundswell-access-'))
  const env = { DATA_DIR: dataDir, GATEWAY_PORT: '0', ADMIN_PORT: '0', CONSOLE_PORT: '0', SHARDS: '1' }
  running = await startApp(shop, { env, log: () => undefined })
})
after(async () => {
  await running?.stop()
  await rm(dataDir, { recursive: true, force: true })
})

/** Without a key. */
async function ask(path: string): Promise<string | number> {
  const answer = await fetch(`${running.addresses.gateway}${path}`)
  return answer.ok ? ((await answer.json()) as { route: string }).route : answer.status
}

test('a route that asks for a key asks for it, beside one that does not and matches as well', async () => {
  assert.equal(await ask('/users/7'), 'one')
  assert.equal(await ask('/users/me'), 401)
  assert.equal(await ask('/users/%6de'), 401, 'however it is written')
  assert.equal(await ask('/users/x/../me'), 401)
  assert.equal(await ask('/accounts/7'), 401)
  assert.equal(await ask('/accounts/of'), 'public')
})
