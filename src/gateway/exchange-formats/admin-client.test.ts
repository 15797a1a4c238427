import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createCatalog } from '../config/catalog.ts'
import { AdminClient } from './admin-client.ts'

/** A client of something that is no Admin API of ours. */
async function clientOf(context: TestContext, listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const catalog = createCatalog([])
  return { url, catalog, client: new AdminClient({ url, token: 'token-of-the-admin' }, catalog) }
}

test('a redirection gets no token', async (context) => {
  const tokens: unknown[] = []
  const other = await clientOf(context, ({ headers }, response) => {
    tokens.push(headers['kong-admin-token'])
    response.end('{}')
  })
  const { client } = await clientOf(context, (_request, response) => {
    response.writeHead(307, { location: other.url }).end()
  })
  await assert.rejects(client.furtherPlugins(), { code: 'GATEWAY_ADMIN_REFUSED', message: /307/ })
  assert.deepEqual(tokens, [])
})

test('what is no Admin API is said to be none', async (context) => {
  const { client } = await clientOf(context, (_request, response) => response.end('<html>'))
  await assert.rejects(client.furtherPlugins(), { code: 'GATEWAY_ADMIN_UNREACHABLE' })
})

test('a key that another consumer has is not printed', async (context) => {
  const message = `UNIQUE violation detected on '{key="SECRET"}'`
  const { client, catalog } = await clientOf(context, (_request, response) => {
    response.writeHead(409).end(JSON.stringify({ code: 5, message, fields: { key: 'SECRET' } }))
  })
  const id = 'a3b2c1d0-0000-4000-8000-000000000000'
  const written = client.write(catalog.kind('keyauth_credentials'), { id, key: 'SECRET', consumer: { id } })
  await assert.rejects(written, (error: Error) => {
    assert.match(error.message, /answered 409 for keyauth_credentials .*another entity has the same key/)
    return !error.message.includes('SECRET')
  })
})
