import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { Readable } from 'node:stream'
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
      onUnsent() {},
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

test('an upstream that is silent for long is given up by the check after that', async (context) => {
  const asked = Promise.withResolvers<void>()
  const pool = await pooled(
    context,
    (socket) => void socket.on('error', () => socket.destroy()).once('data', () => asked.resolve()),
  )
  const answered = send(pool, { ...REQUEST, silenceMs: 30_000 })
  await asked.promise
  pool.sweep(performance.now() + 20_000)
  const failed = assert.rejects(answered, { code: 'UPSTREAM_SILENT' })
  pool.sweep(performance.now() + 30_000)
  await failed
})

test('a request whose connection ends before it is written is told to be unsent', async (context) => {
  const first = Promise.withResolvers<Socket>()
  const pool = await pooled(context, (socket) => {
    first.resolve(socket)
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  })
  assert.equal(await send(pool, REQUEST), 'ok')
  const told: string[] = []
  const failed = Promise.withResolvers<void>()
  pool.send(
    { ...REQUEST, method: 'POST', body: Buffer.from('once') },
    {
      onSent: () => void told.push('sent'),
      onUnsent: () => void told.push('unsent'),
      onProgress() {},
      onHead() {},
      onData() {},
      onEnd() {},
      onUpgrade() {},
      onError() {
        told.push('failed')
        failed.resolve()
      },
    },
  )
  // In the turn in which it was given the request, and so before that is written.
  pool.destroy()
  await failed.promise
  assert.deepEqual(told, ['sent', 'unsent', 'failed'])
  assert.equal((await first.promise).bytesRead, 'GET / HTTP/1.1\r\nconnection: keep-alive\r\n\r\n'.length)
})

/** What comes of an upload whose upstream says this after the first of it, and then resets the connection. */
async function uploadRefused(context: TestContext, answer: string): Promise<string> {
  const body = new Readable({ read() {} })
  const pool = await pooled(context, (socket) => {
    socket.on('error', () => socket.destroy())
    socket.once('data', () => {
      socket.write(answer, () => {
        socket.resetAndDestroy()
        // Written before anything is read: the gateway learns of the reset first, and of the answer later.
        body.push('more')
      })
    })
  })
  const answered = send(pool, { ...REQUEST, method: 'POST', body })
  body.push('first')
  return answered
}

test('an upstream that answers and resets before it has the whole body is heard', async (context) => {
  const refusal = 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\n\r\ntoo much'
  assert.equal(await uploadRefused(context, refusal), 'too much')
})

for (const [what, answer] of [
  ['no answer', ''],
  ['a part of an answer', 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\n\r\ntoo'],
  ['an answer that only an orderly end would complete', 'HTTP/1.1 413 Content Too Large\r\n\r\ntoo'],
] as const) {
  test(`a reset during an upload after ${what} is a failure`, async (context) => {
    await assert.rejects(uploadRefused(context, answer), { code: /ECONNRESET|EPIPE/ })
  })
}

test('a connection whose upload went well is used again', async (context) => {
  let connections = 0
  const pool = await pooled(context, (socket) => {
    connections += 1
    socket.on('data', (bytes) => {
      if (/\r\n\r\n$/.test(String(bytes))) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
  })
  for (const _upload of [1, 2]) {
    assert.equal(await send(pool, { ...REQUEST, method: 'POST', body: Readable.from([Buffer.from('x')]) }), 'ok')
  }
  assert.equal(connections, 1)
})
