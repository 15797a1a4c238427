import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { ConnectionDrain, stopListening } from './drain.ts'

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer)
  const drain = new ConnectionDrain(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    end: (deadlineMs = 10_000) => drain.end(stopListening(server), { deadlineAtMs: Date.now() + deadlineMs }),
  }
}

/** One request on a connection of an agent; its status and whether the server keeps the connection. */
function ask(port: number, agent: Agent): Promise<{ status: number | undefined; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, host: '127.0.0.1', agent }, (response) => {
      response.resume()
      response.once('end', () => resolve({ status: response.statusCode, connection: response.headers.connection }))
    })
    outgoing.once('error', reject)
    outgoing.end()
  })
}

test('a connection that is idle when the drain begins still carries a request, and is then closed', async () => {
  const { port, end } = await serve((_request, response) => response.end('ok'))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  assert.deepEqual(await ask(port, agent), { status: 200, connection: 'keep-alive' })
  const ended = end()
  assert.deepEqual(await ask(port, agent), { status: 200, connection: 'close' })
  await ended
  await assert.rejects(ask(port, agent), { code: 'ECONNREFUSED' })
  agent.destroy()
})

test('connections that stay unused, or never sent a request, are cut, and the drain ends', async () => {
  const { port, end } = await serve((_request, response) => response.end('ok'))
  const agent = new Agent({ keepAlive: true })
  await ask(port, agent)
  const silent = connect(port, '127.0.0.1')
  await once(silent, 'connect')
  // The server has accepted the silent connection once it answers a later one.
  await ask(port, new Agent())
  const closed = once(silent, 'close')
  silent.on('error', () => undefined)
  await end()
  await closed
  agent.destroy()
})

test('connections that nobody has accepted yet when the drain begins are served, not reset', async () => {
  const { port, end } = await serve((_request, response) => response.end('ok'))
  const agent = new Agent()
  const answers = Array.from({ length: 50 }, () => ask(port, agent))
  // They connect at the end of this tick; the drain begins before the loop has looked for what there is to accept.
  await new Promise((resolve) => process.nextTick(resolve))
  const ended = end()
  assert.deepEqual(new Set((await Promise.all(answers)).map(({ status }) => status)), new Set([200]))
  await ended
})

test('what is not done at the deadline is cut off', async () => {
  const entered = Promise.withResolvers<Socket>()
  const { port, end } = await serve(({ socket }) => entered.resolve(socket))
  const answer = assert.rejects(ask(port, new Agent()), { code: 'ECONNRESET' })
  await entered.promise
  await end(20)
  await answer
})
