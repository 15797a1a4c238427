import assert from 'node:assert/strict'
import { createServer as createTcpServer } from 'node:net'
import { exchangeBytes } from '../../src/gateway/gateway-fixture.ts'
import { freePort } from '../../src/testing/index.ts'
import type { Case } from './case.ts'
import { JSON_WANTED as headers, type Json, outcome, type World } from './world.ts'

const NO_PEER = 'failure to get a peer from the ring-balancer'
const INVALID_RESPONSE = 'An invalid response was received from the upstream server'
const TIMING_OUT = 'The upstream server is timing out'

const outcomeOf = async (world: World) => outcome(await world.ask('/', { headers }))
const toPort = (world: World, port: number, service: Json = {}) =>
  world.route({}, { host: '127.0.0.1', port, retries: 0, ...service })

export const errorCases: readonly Case[] = [
  [
    'no route: 404; a route without a service: 503',
    async (world) => {
      assert.deepEqual(await outcomeOf(world), [404, 'no Route matched with those values'])
      await world.add('/routes', { hosts: [world.host] })
      assert.deepEqual(await outcomeOf(world), [503, 'no Service found with those values'])
    },
  ],
  [
    'an upstream without a target that can be used: 503',
    async (world) => {
      const name = `upstream.${world.host}`
      const upstream = await world.add('/upstreams', { name })
      await world.route({}, { host: name })
      assert.deepEqual(await outcomeOf(world), [503, NO_PEER])
      await world.add(`/upstreams/${upstream.id}/targets`, { target: '127.0.0.1:1', weight: 0 })
      assert.deepEqual(await outcomeOf(world), [503, NO_PEER])
    },
  ],
  [
    'a host that does not resolve: 503',
    async (world) => {
      await world.route({}, { host: 'nowhere.invalid', retries: 0 })
      assert.deepEqual(await outcomeOf(world), [503, 'name resolution failed'])
    },
  ],
  [
    'a connection that is refused, or reset, or speaks no HTTP: 502',
    async (world) => {
      const { service } = await toPort(world, await freePort())
      const reset = createTcpServer((socket) => void socket.once('data', () => socket.resetAndDestroy()))
      const nonsense = createTcpServer((socket) => void socket.end('nonsense\r\n\r\n'))
      assert.deepEqual(await outcomeOf(world), [502, INVALID_RESPONSE])
      for (const server of [reset, nonsense]) {
        await world.admin('PATCH', `/services/${service.id}`, { port: await world.listen(server) })
        assert.deepEqual(await outcomeOf(world), [502, INVALID_RESPONSE])
      }
    },
  ],
  [
    'a service that does not answer in time: 504',
    async (world) => {
      await toPort(world, await world.upstream(() => undefined), { read_timeout: 50 })
      assert.deepEqual(await outcomeOf(world), [504, TIMING_OUT])
    },
  ],
  [
    'a route for https only: 426, or a redirect',
    async (world) => {
      const { route } = await world.route({ protocols: ['https'] })
      const demanded = await world.ask('/x', { headers })
      assert.deepEqual(outcome(demanded), [426, 'Please use HTTPS protocol'])
      // This client wants its connection closed.
      const { connection, upgrade } = demanded.headers
      assert.deepEqual([connection, upgrade], ['Upgrade, close', 'TLS/1.2, HTTP/1.1'])
      for (const status of [301, 302, 307, 308]) {
        await world.admin('PATCH', `/routes/${route.id}`, { https_redirect_status_code: status })
        const moved = await world.ask('/x?y=1')
        assert.deepEqual([moved.status, moved.headers.location], [status, `https://${world.host}/x?y=1`])
      }
    },
  ],
  [
    'TRACE: 405',
    async (world) => {
      await world.route()
      assert.deepEqual(outcome(await world.ask('/', { method: 'TRACE', headers })), [405, 'Method not allowed'])
    },
  ],
  [
    'a head that is too large, or none at all: 400, and the connection is closed',
    async (world) => {
      const large = await exchangeBytes(
        world.port,
        `GET / HTTP/1.1\r\nHost: a\r\nX-Large: ${'x'.repeat(40_000)}\r\n\r\n`,
      )
      assert.match(large, /^HTTP\/1\.1 400 [\s\S]*Request header or cookie too large/)
      const nonsense = await exchangeBytes(world.port, 'nonsense\r\n\r\n')
      assert.match(nonsense, /^HTTP\/1\.1 400 [\s\S]*\r\n\r\nBad request\nrequest_id: [0-9a-f]{32}\n$/)
    },
  ],
  [
    'a refusal is said in the format that the client accepts, JSON for any',
    async (world) => {
      const message = 'no Route matched with those values'
      for (const [accept, type, pattern] of [
        ['*/*', 'application/json; charset=utf-8', /^\{\n {2}"message":"no Route[^"]+",\n {2}"request_id":"ID"\n\}$/],
        ['text/html', 'text/html; charset=utf-8', new RegExp(`<p>${message}`)],
        ['application/xml', 'application/xml; charset=utf-8', new RegExp(`<message>${message}</message>`)],
        ['text/plain', 'text/plain; charset=utf-8', new RegExp(`^${message}\nrequest_id: ID\n$`)],
      ] as const) {
        const answer = await world.ask('/', { headers: { accept } })
        assert.equal(answer.headers['content-type'], type)
        assert.match(answer.body.replace(String(answer.headers['x-kong-request-id']), 'ID'), pattern)
      }
    },
  ],
  [
    'a failure of an upstream is said as text to who says nothing of formats',
    async (world) => {
      await toPort(world, await freePort())
      const silent = await world.ask('/')
      const id = silent.headers['x-kong-request-id']
      assert.deepEqual([silent.status, silent.body], [502, `${INVALID_RESPONSE}\nrequest_id: ${id}\n`])
      const typed = await world.ask('/', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      })
      assert.deepEqual(outcome(typed), [502, INVALID_RESPONSE])
    },
  ],
  [
    'only what is safe is sent again after a connection breaks, as often as the service says',
    async (world) => {
      let count = 0
      const broken = createTcpServer((socket) => {
        socket.once('data', () => {
          count += 1
          socket.resetAndDestroy()
        })
      })
      await toPort(world, await world.listen(broken), { retries: 2 })
      assert.deepEqual(await outcomeOf(world), [502, INVALID_RESPONSE])
      assert.equal(count, 3)
      const sent = await world.ask('/', { method: 'POST', headers, body: 'order' })
      assert.deepEqual([sent.status, count], [502, 4])
    },
  ],
  [
    'a status of the service is the service’s, and is not asked for again',
    async (world) => {
      let count = 0
      const port = await world.upstream((_request, response) => {
        count += 1
        response.writeHead(503).end('mine')
      })
      await toPort(world, port, { retries: 5 })
      const { status, body } = await world.ask('/', { headers })
      assert.deepEqual([status, body, count], [503, 'mine', 1])
    },
  ],
]
