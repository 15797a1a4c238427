import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { endpoints, type Readiness } from '../core/index.ts'
import type { Cluster } from '../data/index.ts'
import type { Caching } from './caching/caching.ts'
import { createCaller } from './caller.ts'
import { failureFacts } from './channels.ts'
import { createServiceHost, type ServiceHost } from './host.ts'
import { problem, reply } from './reply.ts'
import { handle, service } from './service.ts'

const at = endpoints('note-service')
const Note = z.object({ text: z.string().min(1), lines: z.array(z.object({ count: z.int().max(10) })).default([]) })
const putNote = at.put('/notes/:noteId', {
  params: z.object({ noteId: z.coerce.number().int() }),
  query: z.object({ loud: z.stringbool().default(false) }),
  body: Note,
  replies: { 200: z.object({ noteId: z.int(), text: z.string(), loud: z.boolean(), consumer: z.string().nullable() }) },
})
const breakDown = at.get('/broken', { replies: {} })
const hang = at.get('/hanging', { replies: {} })
const guarded = at.get('/guarded', { replies: { 204: null }, access: { consumers: ['operator'] } })
const refused = at.get('/refused', { replies: {} })
const misdirected = at.get('/misdirected', { replies: { 201: null } })
const outOfRange = at.get('/out-of-range', { replies: {} })
const answerless = at.get('/answerless', { replies: {} })
const mislabelled = at.get('/mislabelled', { replies: { 200: z.unknown() } })
const unspeakable = at.get('/unspeakable', { replies: { 200: z.unknown() } })

/** No handler here touches the database, nor a cache. */
const noCluster = {} as Cluster
const noCaching = {} as Caching
let host: ServiceHost
let origin: string
let release: () => void = () => {}

before(async () => {
  const notes = service('note-service', {
    routes: [
      handle(putNote, async ({ params, query, body, consumer }) =>
        reply(200, { noteId: params.noteId, text: body.text, loud: query.loud, consumer: consumer ?? null }),
      ),
      handle(breakDown, async () => {
        throw new Error('the secret is 42')
      }),
      handle(hang, () => new Promise((resolve) => (release = () => resolve(problem(410, 'gone', { code: 'GONE' }))))),
      handle(guarded, async () => reply(204)),
      handle(refused, async () => problem(409, 'taken', { code: 'NOTE_TAKEN' })),
      handle(misdirected, async () => ({ ...reply(201), headers: { 'x-first': '1', location: '/café/☃' } })),
      handle(outOfRange, async () => ({ ...problem(409, 'odd', { code: 'ODD' }), status: 1_000 })),
      handle(answerless, async () => undefined as never),
      handle(mislabelled, async () =>
        reply(200, { text: 'é' }, { 'Content-Length': '1', 'content-type': 'text/html', 'x-own': '1' }),
      ),
      handle(unspeakable, async () => reply(200, 1n)),
    ],
  })
  const caller = createCaller({ locals: new Map(), origin: () => undefined })
  host = await createServiceHost({ services: [notes], cluster: noCluster, caller, caching: noCaching })
  origin = `http://127.0.0.1:${(await host.listen({ host: '127.0.0.1', port: 0 })).port}`
})

after(() => host.close({ deadlineAtMs: Date.now() + 1_000 }))

async function send(method: string, path: string, options: { body?: string; headers?: Record<string, string> } = {}) {
  const headers = { ...(options.body === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers }
  const response = await fetch(`${origin}${path}`, { method, headers, body: options.body ?? null })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') === true
  return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as never }
}

test('parameters, query and body reach the handler as their schemas say', async () => {
  const headers = { 'x-consumer-username': 'storefront' }
  const answer = await send('PUT', '/notes/7?loud=true', { body: '{"text":"hi","unknown":1}', headers })
  assert.equal(answer.status, 200)
  assert.deepEqual(answer.body, { noteId: 7, text: 'hi', loud: true, consumer: 'storefront' })
})

test('what does not fit is refused at once in all its parts, as problem details', async () => {
  const answer = await send('PUT', '/notes/x?loud=perhaps', { body: '{"text":"","lines":[{"count":11}]}' })
  assert.equal(answer.status, 422)
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/)
  const body = answer.body as { code: string; title: string; errors: { in: string; path: string }[] }
  assert.equal(body.code, 'SERVICE_INPUT_INVALID')
  assert.equal(body.title, 'Unprocessable Entity')
  assert.deepEqual(
    body.errors.map((error) => `${error.in} ${error.path}`),
    ['params noteId', 'query loud', 'body text', 'body lines.0.count'],
  )
})

test('each way to get the envelope wrong has its status', async () => {
  const cases: [number, string, Awaited<ReturnType<typeof send>>][] = [
    [400, 'SERVICE_BODY_MALFORMED', await send('PUT', '/notes/1', { body: '{"text":' })],
    [400, 'SERVICE_BODY_MALFORMED', await send('PUT', '/notes/1', { body: '' })],
    [400, 'SERVICE_BODY_MALFORMED', await send('GET', '/%zz')],
    [404, 'SERVICE_ROUTE_UNKNOWN', await send('GET', '/nowhere?x=1')],
    [405, 'SERVICE_METHOD_NOT_ALLOWED', await send('DELETE', '/notes/1')],
    [413, 'SERVICE_BODY_TOO_LARGE', await send('PUT', '/notes/1', { body: `"${'x'.repeat(2_000_000)}"` })],
    [415, 'SERVICE_MEDIA_TYPE_UNSUPPORTED', await send('PUT', '/notes/1', xml('<note/>'))],
    [415, 'SERVICE_MEDIA_TYPE_UNSUPPORTED', await send('PUT', '/notes/1', text('note'))],
    [409, 'NOTE_TAKEN', await send('GET', '/refused')],
  ]
  for (const [status, code, answer] of cases) {
    assert.equal(answer.status, status, code)
    assert.equal((answer.body as { code: string }).code, code)
    assert.equal((answer.body as { status: number }).status, status)
  }
  assert.equal(cases[4]?.[2].headers.get('allow'), 'PUT')
})

const xml = (body: string) => ({ body, headers: { 'content-type': 'application/xml' } })
const text = (body: string) => ({ body, headers: { 'content-type': 'text/plain' } })

test('a handler that throws, or answers what JSON cannot hold, tells the client the trace id and nothing else', async () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  for (const path of ['/broken', '/unspeakable']) {
    const answer = await send('GET', path, { headers: { traceparent } })
    assert.equal(answer.status, 500)
    const body = answer.body as { code: string; traceId: string }
    assert.equal(body.code, 'SERVICE_INTERNAL')
    assert.equal(body.traceId, '4bf92f3577b34da6a3ce929d0e0e4736')
    assert.doesNotMatch(JSON.stringify(body), /secret|BigInt/)
  }
})

test('a handler that answers what HTTP cannot hold gets a 500 reported, and the process lives on', async () => {
  const reported: string[] = []
  const stop = failureFacts.subscribe(({ path, status }) => reported.push(`${path} ${status}`))
  for (const path of ['/misdirected', '/out-of-range', '/answerless']) {
    const answer = await send('GET', path)
    assert.equal(answer.status, 500)
    assert.equal((answer.body as { code: string }).code, 'SERVICE_INTERNAL')
    assert.equal(answer.headers.get('location') ?? answer.headers.get('x-first'), null)
  }
  stop()
  assert.deepEqual(reported, ['/misdirected 500', '/out-of-range 500', '/answerless 500'])
  assert.equal((await send('GET', '/livez')).status, 200)
})

test('length and type are those of the body, whatever a handler says', async () => {
  const labelled = await fetch(`${origin}/mislabelled`)
  const { headers } = labelled
  assert.equal(headers.get('content-type'), 'application/json; charset=utf-8')
  assert.deepEqual([headers.get('content-length'), headers.get('x-own')], ['13', '1'])
  assert.deepEqual(await labelled.json(), { text: 'é' })
  const empty = await fetch(`${origin}/guarded`, { headers: { 'x-consumer-username': 'operator' } })
  assert.deepEqual([empty.headers.get('content-type'), empty.headers.get('content-length')], [null, null])
})

test('a route for named consumers is closed to all others', async () => {
  assert.equal((await send('GET', '/guarded')).status, 403)
  assert.equal((await send('GET', '/guarded', { headers: { 'x-consumer-username': 'storefront' } })).status, 403)
  assert.equal((await send('GET', '/guarded', { headers: { 'x-consumer-username': 'operator' } })).status, 204)
})

test('a request whose deadline is over gets 504, at once or as soon as it is', async () => {
  assert.equal((await send('GET', '/refused', { headers: { 'x-deadline-ms': '0' } })).status, 504)
  const late = await send('GET', '/hanging', { headers: { 'x-deadline-ms': '30' } })
  assert.equal(late.status, 504)
  assert.equal((late.body as { code: string }).code, 'SERVICE_DEADLINE_PASSED')
  release()
})

test('while a process starts it is alive and not ready, and its routes refuse', async () => {
  let readiness: Readiness = { status: 'starting', reason: 'applying migrations' }
  const caller = createCaller({ locals: new Map(), origin: () => undefined })
  const notes = service('note-service', { routes: [handle(guarded, async () => reply(204))] })
  const health = { readiness: () => readiness }
  const young = await createServiceHost({ services: [notes], cluster: noCluster, caller, caching: noCaching, health })
  const { port } = await young.listen({ host: '127.0.0.1', port: 0 })
  const ask = (path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers: { 'x-consumer-username': 'operator' } })
  try {
    assert.deepEqual(await (await ask('/livez')).json(), { status: 'alive' })
    const [ready, route] = [await ask('/readyz'), await ask('/guarded')]
    assert.deepEqual([ready.status, await ready.json()], [503, readiness])
    assert.deepEqual([route.status, route.headers.get('retry-after')], [503, '1'])
    assert.equal(((await route.json()) as { code: string }).code, 'SERVICE_STARTING')
    readiness = { status: 'ready', degraded: [] }
    assert.equal((await ask('/readyz')).status, 200)
    assert.equal((await ask('/guarded')).status, 204)
  } finally {
    await young.close({ deadlineAtMs: Date.now() + 5_000 })
  }
})

test('a request that arrives on an idle connection while the host closes is answered', async () => {
  const other = await createServiceHost({
    services: [service('note-service', { routes: [handle(guarded, async () => reply(204))] })],
    cluster: noCluster,
    caller: createCaller({ locals: new Map(), origin: () => undefined }),
    caching: noCaching,
  })
  const { port } = await other.listen({ host: '127.0.0.1', port: 0 })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ask = () =>
    new Promise<[number | undefined, string | undefined]>((resolve, reject) => {
      const headers = { 'x-consumer-username': 'operator' }
      const outgoing = request({ port, host: '127.0.0.1', path: '/guarded', agent, headers }, (response) => {
        response.resume()
        response.once('end', () => resolve([response.statusCode, response.headers.connection]))
      })
      outgoing.once('error', reject)
      outgoing.end()
    })
  assert.deepEqual(await ask(), [204, 'keep-alive'])
  const closed = other.close({ deadlineAtMs: Date.now() + 5_000 })
  assert.deepEqual(await ask(), [204, 'close'])
  await closed
  agent.destroy()
})

test('a host that closes answers what is under way first', async () => {
  const slow = endpoints('slow-service').get('/slow', { replies: { 200: z.string() } })
  const entered = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const declaration = service('slow-service', {
    routes: [
      handle(slow, async () => {
        entered.resolve()
        await gate.promise
        return reply(200, 'done')
      }),
    ],
  })
  const caller = createCaller({ locals: new Map(), origin: () => undefined })
  const other = await createServiceHost({ services: [declaration], cluster: noCluster, caller, caching: noCaching })
  const { port } = await other.listen({ host: '127.0.0.1', port: 0 })
  const status = new Promise<number | undefined>((resolve, reject) => {
    const outgoing = request({ port, host: '127.0.0.1', path: '/slow' }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
  await entered.promise
  const closed = other.close({ deadlineAtMs: Date.now() + 5_000 })
  gate.resolve()
  assert.equal(await status, 200)
  await closed
  assert.equal(other.close({ deadlineAtMs: 0 }), other.close({ deadlineAtMs: 0 }))
})
