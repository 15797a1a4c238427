import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { CallHandler, CallRequest } from './call.ts'
import { ConnectionPool } from './connection-pool.ts'

const tls = { verify: true, authorities: undefined, depthMax: undefined, client: undefined, key: '' }

const REQUEST: CallRequest = {
  method: 'GET',
  path: '/',
  headers: {},
  body: null,
  upgrades: false,
  silenceMs: 60_000,
}

/** A pool of connections to a server that hands them to `accept`. */
async function pooled(context: TestContext, accept: (socket: Socket) => void): Promise<ConnectionPool> {
  const server = createServer(accept)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const endpoint = { connectTimeoutMs: 60_000, serverName: undefined, tls }
  const pool = new ConnectionPool({ ...endpoint, origin: `http://127.0.0.1:${port}` })
  context.after(() => {
    pool.destroy()
    server.close()
  })
  return pool
}

/** What became of a request: its body, or its failure. */
function send(pool: ConnectionPool, request: CallRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    let body = ''
    const handler: CallHandler = {
      onSent() {},
      onProgress() {},
      onHead() {},
      onData(data) {
        body += data.toString('latin1')
      },
      onEnd: () => resolve(body),
      onUpgrade: (_head, socket) => socket.destroy(),
      onError: reject,
    }
    pool.send(request, handler)
  })
}

test('a request does not wait for the connection of an upgrade, nor for the answer to it', async (context) => {
  const pool = await pooled(context, (socket) => {
    socket.on('data', (bytes) => {
      if (!String(bytes).includes('upgrade')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
  })
  const upgrading = assert.rejects(send(pool, { ...REQUEST, upgrades: true }), /closed/)
  assert.equal(await send(pool, REQUEST), 'ok')
  pool.destroy()
  await upgrading
})

test('a pool that is gone opens no connection for what is tried again', async (context) => {
  let connections = 0
  const pool = await pooled(context, () => {
    connections += 1
  })
  pool.destroy()
  await assert.rejects(send(pool, REQUEST), /closed/)
  await assert.rejects(send(pool, { ...REQUEST, upgrades: true }), /closed/)
  assert.equal(connections, 0)
})
