import assert from 'node:assert/strict'
import type { Case } from './case.ts'
import { answerAs, seenBy } from './echo.ts'

const VIA = '1.1 kong/3.9.1'

export const headerCases: readonly Case[] = [
  [
    'the service sees who asked, for what, and through which gateway',
    async (world) => {
      await world.route({ paths: ['/shop'] })
      const given = { 'X-Forwarded-For': '10.0.0.9', 'X-Forwarded-Proto': 'https', 'X-Real-IP': '10.0.0.9' }
      const host = `${world.host}:80`
      const answer = await world.ask('/shop/x', { headers: { ...given, host, Via: '1.0 front' } })
      const { headers } = seenBy(answer)
      assert.equal(headers['x-forwarded-for'], '10.0.0.9, 127.0.0.1')
      assert.equal(headers['x-forwarded-proto'], 'http')
      assert.equal(headers['x-forwarded-host'], world.host)
      assert.equal(headers['x-forwarded-port'], String(world.port))
      assert.equal(headers['x-forwarded-path'], '/shop/x')
      assert.equal(headers['x-forwarded-prefix'], '/shop')
      assert.equal(headers['x-real-ip'], '127.0.0.1')
      assert.equal(headers.via, `1.0 front, ${VIA}`)
      assert.equal(headers['x-kong-request-id'], answer.headers['x-kong-request-id'])
    },
  ],
  [
    'there is no X-Forwarded-Prefix where nothing was stripped',
    async (world) => {
      const { route } = await world.route({ paths: ['/'] })
      assert.equal(seenBy(await world.ask('/x')).headers['x-forwarded-prefix'], undefined)
      await world.admin('PATCH', `/routes/${route.id}`, { paths: ['/x'], strip_path: false })
      assert.equal(seenBy(await world.ask('/x')).headers['x-forwarded-prefix'], undefined)
    },
  ],
  [
    'the Host is the service’s, with a port that is not the usual one, unless it is to be preserved',
    async (world) => {
      const { service, route } = await world.route()
      const host = async () => seenBy(await world.ask('/')).headers.host
      assert.equal(await host(), 'echo-service')
      await world.admin('PATCH', `/services/${service.id}`, { port: 8080 })
      assert.equal(await host(), 'echo-service:8080')
      await world.admin('PATCH', `/routes/${route.id}`, { preserve_host: true })
      assert.equal(await host(), world.host)
    },
  ],
  [
    'the Host of an upstream is its own, else that of the target',
    async (world) => {
      const port = await world.upstream((request, response) => response.end(request.headers.host))
      const upstream = await world.add('/upstreams', { name: `upstream.${world.host}` })
      await world.add(`/upstreams/${upstream.id}/targets`, { target: `127.0.0.1:${port}` })
      await world.route({}, { host: `upstream.${world.host}` })
      assert.equal((await world.ask('/')).body, `127.0.0.1:${port}`)
      await world.admin('PATCH', `/upstreams/${upstream.id}`, { host_header: 'own.example' })
      assert.equal((await world.ask('/')).body, 'own.example')
    },
  ],
  [
    'what is about the client’s connection ends at the gateway',
    async (world) => {
      await world.route()
      const hops = { Connection: 'keep-alive, X-Mine', 'X-Mine': '1', 'Keep-Alive': 'timeout=5', Proxy: 'x' }
      const more = { 'Proxy-Connection': 'x', TE: 'trailers, gzip', 'Proxy-Authorization': 'Basic eDp5', 'X-Two': '2' }
      const { headers } = seenBy(await world.ask('/', { headers: { ...hops, ...more } }))
      for (const name of ['x-mine', 'keep-alive', 'proxy', 'proxy-connection']) assert.equal(headers[name], undefined)
      assert.deepEqual([headers.te, headers['x-two']], ['trailers', '2'])
      assert.equal(headers['proxy-authorization'], 'Basic eDp5')
      assert.equal(headers.connection, world.capabilities.connectionSeen)
    },
  ],
  [
    'headers by which a client claims to be somebody do not reach the service',
    async (world) => {
      await world.route()
      const claims = ['x-consumer-id', 'x-consumer-custom-id', 'x-consumer-username', 'x-credential-identifier']
      const spoofed = Object.fromEntries([...claims, 'x-anonymous-consumer'].map((name) => [name, 'root']))
      const { headers } = seenBy(await world.ask('/', { headers: spoofed }))
      for (const name of Object.keys(spoofed)) assert.equal(headers[name], undefined, name)
    },
  ],
  [
    'method, body and repeated headers arrive as they were sent',
    async (world) => {
      await world.route()
      // Node's client announces no body of DELETE by itself.
      const length = { 'content-length': String(Buffer.byteLength('höllo')) }
      const headers = { ...length, 'content-type': 'text/plain', cookie: 'a=1; b=2', 'X-List': ['1', '2'] }
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        const seen = seenBy(await world.ask('/', { method, headers, body: 'höllo' }))
        assert.deepEqual([seen.method, seen.body, seen.headers.cookie], [method, 'höllo', 'a=1; b=2'])
        assert.equal(seen.headers['x-list'], '1, 2')
      }
    },
  ],
  [
    'an answer of the service tells the latencies, and has passed one more gateway',
    async (world) => {
      await world.route()
      const { headers } = await world.ask('/')
      assert.match(String(headers['x-kong-upstream-latency']), /^\d+$/)
      assert.match(String(headers['x-kong-proxy-latency']), /^\d+$/)
      assert.equal(headers['x-kong-response-latency'], undefined)
      assert.match(String(headers['x-kong-request-id']), /^[0-9a-f]{32}$/)
      assert.deepEqual([headers.via, headers.server], [VIA, 'kong/3.9.1'])
    },
  ],
  [
    'the service’s own Server and Via stay, and so do its status and cookies',
    async (world) => {
      await world.route()
      const own = { Server: 'own', Via: '2 nginx, HTTP/1.1 inner', 'Set-Cookie': ['a=1', 'b=2'], 'X-Hop': '1' }
      const asked = answerAs({ status: 418, headers: { ...own, Connection: 'keep-alive, X-Hop' } })
      const { status, headers } = await world.ask('/', { headers: asked })
      assert.equal(status, 418)
      assert.deepEqual([headers.server, headers.via], ['own', `2 nginx, HTTP/1.1 inner, ${VIA}`])
      assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2'])
      assert.equal(headers['x-hop'], undefined)
    },
  ],
  [
    'an answer of the gateway itself tells its latency only',
    async (world) => {
      const { headers } = await world.ask('/')
      assert.match(String(headers['x-kong-response-latency']), /^\d+$/)
      for (const name of ['x-kong-upstream-latency', 'x-kong-proxy-latency', 'via']) {
        assert.equal(headers[name], undefined, name)
      }
      assert.match(String(headers['x-kong-request-id']), /^[0-9a-f]{32}$/)
      assert.equal(headers.server, 'kong/3.9.1')
    },
  ],
]
