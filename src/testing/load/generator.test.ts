import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { test } from 'node:test'
import { until } from '../until.ts'
import { runLoad } from './generator.ts'
import { runScenario } from './run-scenario.ts'
import { scenario } from './scenario.ts'

/** A real server for one test, on a free port. */
async function withServer(
  listener: RequestListener,
  run: (url: string, server: Server) => Promise<void>,
): Promise<void> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, server)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

const get = () => ({ method: 'GET', path: '/' }) as const

test('every request of the schedule arrives once, as it was written', async () => {
  const seen: string[] = []
  const listener: RequestListener = (request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      seen.push(`${request.method} ${request.url} ${request.headers.apikey} ${request.headers['content-type']} ${body}`)
      response.writeHead(202).end('{"ok":true}')
    })
  }
  await withServer(listener, async (url) => {
    const headers = { apikey: 'secret' }
    const report = await runLoad({
      url,
      arrivals: { kind: 'fixed', rate: 400, durationMs: 500 },
      request: (n) => ({ method: 'POST', path: `/orders/${n}`, headers, body: { n, name: 'Zoë €' } }),
      verify: ({ status, body }) => (status === 202 && body === '{"ok":true}' ? undefined : 'wrong'),
    })
    assert.equal(report.asked, 200)
    assert.equal(report.succeeded, 200)
    assert.deepEqual(report.statuses, { 202: 200 })
    assert.equal(report.latencyMs.max > 0, true)
  })
  assert.equal(seen.length, 200)
  assert.equal(new Set(seen).size, 200)
  assert.ok(seen.includes('POST /orders/17 secret application/json {"n":17,"name":"Zoë €"}'))
})

test('the load does not wait for answers, and a stall shows in the latency of everyone it delayed', async () => {
  const held: (() => void)[] = []
  let arrived = 0
  const listener: RequestListener = (_, response) => {
    arrived += 1
    held.push(() => void response.end('late'))
  }
  await withServer(listener, async (url) => {
    const load = runLoad({ url, arrivals: { kind: 'fixed', rate: 200, durationMs: 500 }, request: get })
    // All of them come although none has been answered: a closed loop would be stuck at its first.
    await until(() => arrived === 100)
    for (const answer of held) answer()
    const report = await load
    assert.equal(report.succeeded, 100)
    // The first was due 500 ms before the last; all were answered after that.
    assert.ok(report.latencyMs.max >= 450, `max ${report.latencyMs.max}`)
    assert.ok(report.latencyMs.p50 >= 200, `P50 ${report.latencyMs.p50}`)
  })
})

test('what exceeds the connections is dropped, counted, and named as saturation', async () => {
  const held: (() => void)[] = []
  await withServer(
    (_, response) => void held.push(() => void response.end()),
    async (url) => {
      const load = runLoad({ url, arrivals: { kind: 'burst', count: 50 }, request: get, connectionsMax: 8 })
      await until(() => held.length === 8)
      for (const answer of held) answer()
      const report = await load
      assert.equal(report.asked, 50)
      assert.equal(report.succeeded, 8)
      assert.equal(report.dropped, 42)
      assert.equal(report.generator.saturated, true)
    },
  )
})

test('a request without an answer in time counts as timed out, with its latency', async () => {
  await withServer(
    () => undefined,
    async (url) => {
      const report = await runLoad({ url, arrivals: { kind: 'burst', count: 3 }, request: get, timeoutMs: 200 })
      assert.deepEqual(report.failures, { timeout: 3 })
      assert.ok(report.latencyMs.p50 >= 200)
    },
  )
})

test('errors are counted by status, and answers that the scenario refuses by its words', async () => {
  let count = 0
  const listener: RequestListener = (_, response) => {
    count += 1
    response.writeHead(count % 2 === 0 ? 200 : 503).end(count % 4 === 0 ? 'odd' : 'fine')
  }
  await withServer(listener, async (url) => {
    const report = await runLoad({
      url,
      arrivals: { kind: 'fixed', rate: 100, durationMs: 400 },
      request: get,
      verify: ({ status, body }) => (status !== 200 ? `status ${status}` : body === 'odd' ? 'odd body' : undefined),
    })
    assert.deepEqual(report.statuses, { 200: 20, 503: 20 })
    assert.deepEqual(report.failures, { 'status 503': 20, 'odd body': 10 })
    assert.equal(report.succeeded, 10)
  })
})

test('a server that closes connections is met with new ones', async () => {
  const listener: RequestListener = (_, response) => void response.setHeader('connection', 'close').end('bye')
  await withServer(listener, async (url) => {
    const report = await runLoad({ url, arrivals: { kind: 'fixed', rate: 200, durationMs: 300 }, request: get })
    assert.equal(report.succeeded, 60)
  })
})

test('a connection that is reset under a request is a failure of that request', async () => {
  const server = createTcpServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.once('data', () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const report = await runLoad({ url, arrivals: { kind: 'burst', count: 5 }, request: get })
    assert.deepEqual(report.failures, { ECONNRESET: 5 })
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
})

test('an abort ends the sending and keeps what was measured', async () => {
  const abort = new AbortController()
  let arrived = 0
  const listener: RequestListener = (_, response) => {
    arrived += 1
    if (arrived === 10) abort.abort()
    response.end('ok')
  }
  await withServer(listener, async (url) => {
    const arrivals = { kind: 'fixed', rate: 50, durationMs: 3_600_000 } as const
    const report = await runLoad({ url, arrivals, request: get, signal: abort.signal })
    assert.ok(report.succeeded >= 10 && report.succeeded === report.asked)
  })
})

test('a target that does not listen, and options that make no sense, are refused before anything is sent', async () => {
  const arrivals = { kind: 'burst', count: 1 } as const
  await assert.rejects(runLoad({ url: 'http://127.0.0.1:1', arrivals, request: get }), {
    code: 'LOAD_TARGET_UNREACHABLE',
  })
  await assert.rejects(runLoad({ url: 'https://127.0.0.1:1', arrivals, request: get }), {
    code: 'LOAD_OPTIONS_INVALID',
  })
  const wrong = { kind: 'fixed', rate: 0, durationMs: -1 } as const
  await assert.rejects(runLoad({ url: 'http://127.0.0.1:1', arrivals: wrong, request: get }), /rate is 0.*duration/)
})

test('a scenario that throws in the middle ends the run with its error', async () => {
  await withServer(
    (_, response) => void response.end(),
    async (url) => {
      const request = (n: number) => {
        if (n === 3) throw new Error('no fourth request')
        return get()
      }
      await assert.rejects(runLoad({ url, arrivals: { kind: 'burst', count: 9 }, request }), /no fourth request/)
    },
  )
})

test('a scenario prepares, sends, and concludes', async () => {
  await withServer(
    (request, response) => void response.end(request.headers.who),
    async (url) => {
      const hello = scenario<{ headers: Record<string, string>; answers: string[] }>({
        name: 'hello',
        summary: 'says hello',
        shape: ({ count }) => ({ burst: Number(count) }),
        prepare: async ({ settings }) => ({ headers: { who: settings.who ?? '' }, answers: [] }),
        request: ({ headers }) => ({ method: 'GET', path: '/', headers }),
        verify: ({ answers }, { body }) => void answers.push(body),
        conclude: async ({ answers }) => ({
          figures: { answers: answers.length },
          problems: [`${answers[0]} was here`],
        }),
      })
      const common = { url, adminUrl: url, settings: { who: 'Ada', count: '5' }, log: () => undefined }
      const { report, conclusion } = await runScenario(hello, common)
      assert.equal(report.succeeded, 5)
      assert.deepEqual(conclusion, { figures: { answers: 5 }, problems: ['Ada was here'] })
      const faster = await runScenario(hello, { ...common, shape: { rate: 100, durationMs: 100 } })
      assert.equal(faster.report.asked, 10)
    },
  )
})
