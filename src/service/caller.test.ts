import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { z } from 'zod'
import { endpoints, type GroundswellError, newContext, remainingMs } from '../core/index.ts'
import type { Cluster } from '../data/index.ts'
import type { Caching } from './caching/caching.ts'
import { createCaller } from './caller.ts'
import { createServiceHost, type ServiceHost } from './host.ts'
import { REPLY_BYTES_MAX } from './limits.ts'
import { problem, reply } from './reply.ts'
import { handle, service } from './service.ts'

const at = endpoints('stock-service')
const getStock = at.get('/stock/:sku', {
  params: z.object({ sku: z.string() }),
  query: z.object({ depth: z.coerce.number().int().default(1) }),
  replies: { 200: z.object({ sku: z.string(), depth: z.int(), traceparent: z.string() }), 404: null },
})
const timeLeft = at.get('/time-left', { replies: { 200: z.object({ leftMs: z.number() }) } })
const addStock = at.post('/stock', {
  body: z.object({ sku: z.string() }),
  replies: { 201: z.object({ sku: z.string() }) },
})

const stock = service('stock-service', {
  routes: [
    handle(getStock, async ({ params, query, context }) => {
      if (params.sku === 'none') return problem(404, 'no such thing', { code: 'STOCK_UNKNOWN' })
      if (params.sku === 'secret') return problem(403, 'not for you', { code: 'STOCK_SECRET' })
      return reply(200, { sku: params.sku, depth: query.depth, traceparent: context.traceparent })
    }),
    handle(timeLeft, async ({ context }) => reply(200, { leftMs: remainingMs(context) })),
    handle(addStock, async ({ body }) => reply(201, { sku: body.sku })),
  ],
})

async function withHost(run: (host: ServiceHost) => Promise<void>): Promise<void> {
  const caller = createCaller({ locals: new Map(), origin: () => undefined })
  const host = await createServiceHost({ services: [stock], cluster: {} as Cluster, caller, caching: {} as Caching })
  try {
    await run(host)
  } finally {
    await host.close({ deadlineAtMs: Date.now() + 1_000 })
  }
}

test('a call means the same in this process and by HTTP', () =>
  withHost(async (host) => {
    const { port } = await host.listen({ host: '127.0.0.1', port: 0 })
    const here = createCaller({ locals: new Map([['stock-service', host]]), origin: () => undefined })
    const there = createCaller({ locals: new Map(), origin: () => `http://127.0.0.1:${port}` })
    const context = newContext(5_000)
    for (const call of [here, there]) {
      const found = await call(getStock, { params: { sku: 'a/b ü?' }, query: { depth: 2 } }, context)
      assert.deepEqual(found, {
        status: 200,
        body: { sku: 'a/b ü?', depth: 2, traceparent: context.traceparent },
      })
      const missing = await call(getStock, { params: { sku: 'none' }, query: {} }, context)
      assert.deepEqual(missing, { status: 404, body: null })
      assert.equal((await call(addStock, { body: { sku: 'x' } }, context)).body.sku, 'x')
      await assert.rejects(
        call(getStock, { params: { sku: 'secret' }, query: {} }, context),
        (error: GroundswellError) => {
          assert.equal(error.code, 'SERVICE_CALL_REFUSED')
          assert.equal((error.details.problem as { code: string }).code, 'STOCK_SECRET')
          return true
        },
      )
      const nonsense = { sku: 7 } as unknown as { sku: string }
      await assert.rejects(call(addStock, { body: nonsense }, context), { code: 'SERVICE_CALL_REFUSED' })
    }
  }))

test('who is called sees the time that is left to the caller, in this process and by HTTP', () =>
  withHost(async (host) => {
    const { port } = await host.listen({ host: '127.0.0.1', port: 0 })
    const here = createCaller({ locals: new Map([['stock-service', host]]), origin: () => undefined })
    const there = createCaller({ locals: new Map(), origin: () => `http://127.0.0.1:${port}` })
    for (const call of [here, there]) {
      const context = newContext(12_000)
      const before = remainingMs(context)
      const { leftMs } = (await call(timeLeft, {}, context)).body
      assert.ok(leftMs <= before && leftMs >= remainingMs(context), `${leftMs} of ${before} ms`)
    }
  }))

test('a service without a URL, one that does not listen and a deadline that passed are told apart', async () => {
  const input = { params: { sku: 'a' }, query: {} }
  const nowhere = createCaller({ locals: new Map(), origin: () => undefined })
  await assert.rejects(nowhere(getStock, input, newContext(1_000)), { code: 'SERVICE_ORIGIN_UNKNOWN' })
  const closed = createCaller({ locals: new Map(), origin: () => 'http://127.0.0.1:1' })
  await assert.rejects(closed(getStock, input, newContext(1_000)), { code: 'SERVICE_UNREACHABLE' })
  await assert.rejects(closed(getStock, input, newContext(0)), { code: 'SERVICE_DEADLINE_PASSED' })
})

type Script = (count: number) => { status: number; body: string } | 'hang up' | 'say nothing'

async function withServer(script: Script, run: (origin: string, seen: () => number) => Promise<void>): Promise<void> {
  let count = 0
  const server: Server = createServer((request, response) => {
    request.resume()
    const step = script(++count)
    if (step === 'hang up') request.socket.destroy()
    else if (step !== 'say nothing')
      response.writeHead(step.status, { 'content-type': 'application/json' }).end(step.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, () => count)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

const answer = { status: 200, body: '{"sku":"a","depth":1,"traceparent":""}' }
const input = { params: { sku: 'a' }, query: {} }

test('a read is repeated after a 503 and after a torn connection', () =>
  withServer(
    (count) => (count === 1 ? { status: 503, body: '{}' } : count === 2 ? 'hang up' : answer),
    async (origin, seen) => {
      const call = createCaller({ locals: new Map(), origin: () => origin })
      assert.equal((await call(getStock, input, newContext(5_000))).status, 200)
      assert.equal(seen(), 3)
    },
  ))

test('a POST that may have been seen is not repeated', async () => {
  for (const step of [{ status: 503, body: '{}' }, 'hang up'] as const) {
    await withServer(
      () => step,
      async (origin, seen) => {
        const call = createCaller({ locals: new Map(), origin: () => origin })
        await assert.rejects(call(addStock, { body: { sku: 'a' } }, newContext(5_000)), { status: 503 })
        assert.equal(seen(), 1)
      },
    )
  }
})

test('a refusal is not repeated', () =>
  withServer(
    () => ({ status: 409, body: '{}' }),
    async (origin, seen) => {
      const call = createCaller({ locals: new Map(), origin: () => origin })
      await assert.rejects(call(getStock, input, newContext(5_000)), { code: 'SERVICE_CALL_REFUSED' })
      assert.equal(seen(), 1)
    },
  ))

test('in an outage retries stay within their budget', () =>
  withServer(
    () => ({ status: 503, body: '{}' }),
    async (origin, seen) => {
      const call = createCaller({ locals: new Map(), origin: () => origin })
      const calls = 200
      const outcomes = await Promise.allSettled(
        Array.from({ length: calls }, () => call(getStock, input, newContext(10_000))),
      )
      assert.ok(outcomes.every((outcome) => outcome.status === 'rejected'))
      const retries = seen() - calls
      assert.ok(retries >= 10 && retries <= 10 + calls / 10, `${retries} retries`)
    },
  ))

test('a call ends with its deadline', () =>
  withServer(
    () => 'say nothing',
    async (origin) => {
      const call = createCaller({ locals: new Map(), origin: () => origin })
      await assert.rejects(call(getStock, input, newContext(50)), { code: 'SERVICE_DEADLINE_PASSED' })
    },
  ))

test('an answer that breaks the contract is refused', async () => {
  for (const body of ['{"sku":1}', 'not json', 'x'.repeat(REPLY_BYTES_MAX + 1)]) {
    await withServer(
      () => ({ status: 200, body }),
      async (origin, seen) => {
        const call = createCaller({ locals: new Map(), origin: () => origin })
        await assert.rejects(call(getStock, input, newContext(5_000)), { code: 'SERVICE_REPLY_INVALID' })
        assert.equal(seen(), 1, 'asked again, it would be the same')
      },
    )
  }
})

test('an endpoint of a service of this process that no route handles is refused as it would be by HTTP', () =>
  withHost(async (host) => {
    const { port } = await host.listen({ host: '127.0.0.1', port: 0 })
    const forgotten = at.get('/forgotten', { replies: { 200: null } })
    for (const call of [
      createCaller({ locals: new Map([['stock-service', host]]), origin: () => 'http://127.0.0.1:1' }),
      createCaller({ locals: new Map(), origin: () => `http://127.0.0.1:${port}` }),
    ]) {
      await assert.rejects(call(forgotten, {}, newContext(5_000)), (error: GroundswellError) => {
        assert.equal(error.code, 'SERVICE_CALL_REFUSED')
        assert.partialDeepStrictEqual(error.details, { status: 404, problem: { code: 'SERVICE_ROUTE_UNKNOWN' } })
        return true
      })
    }
  }))
