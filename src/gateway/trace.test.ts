import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { isSampled, spanIdOf, traceIdOf } from '../core/index.ts'
import { until } from '../testing/index.ts'
import { type RequestFinished, requestFinished } from './channels.ts'
import { addRoute, ask, ConfigFixture, startGateway } from './gateway-fixture.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const CLIENT_SPAN = 'b7ad6b7169203331'

/** A gateway that keeps traces while `budget` lasts, in front of a service that answers the traceparent it got. */
async function withBudget(context: TestContext, budget: number) {
  const config = new ConfigFixture()
  addRoute(config, { name: 'everything', paths: ['/'] })
  const dispatch = ({ headers }: IncomingMessage, response: ServerResponse) => void response.end(headers.traceparent)
  const local = { kind: 'local', dispatch } as const
  let left = budget
  const { port } = await startGateway(context, { config, resolve: () => local, sampleTrace: () => left-- > 0 })
  const heard: RequestFinished[] = []
  context.after(requestFinished.subscribe((fact) => heard.push(fact)))
  const seen = async (traceparent?: string) =>
    (await ask(port, '/', traceparent === undefined ? {} : { headers: { traceparent } })).body
  return { port, heard, seen, left: () => left }
}

test('a request without a trace starts one under its own id, and the gateway’s span is the service’s parent', async (context) => {
  const { port, heard } = await withBudget(context, 1)
  const answer = await ask(port, '/')
  await until(() => heard.length === 1)
  const [fact] = heard
  assert.equal(fact?.traceparent, answer.body)
  assert.equal(traceIdOf(answer.body), fact?.requestId)
  assert.deepEqual([isSampled(answer.body), fact?.parentSpanId, fact?.routeName], [true, undefined, 'everything'])
})

test('a client’s trace goes on with its span as the parent, whatever it says of the gateway’s', async (context) => {
  const { heard, seen } = await withBudget(context, 1)
  const traceparent = await seen(`00-${TRACE}-${CLIENT_SPAN}-01`)
  await until(() => heard.length === 1)
  assert.equal(traceIdOf(traceparent), TRACE)
  assert.notEqual(spanIdOf(traceparent), CLIENT_SPAN)
  assert.equal(heard[0]?.parentSpanId, CLIENT_SPAN)
})

test('a wish of a client counts against the same budget, and its refusal is obeyed for nothing', async (context) => {
  const { seen, left } = await withBudget(context, 1)
  assert.equal(isSampled(await seen(`00-${TRACE}-${CLIENT_SPAN}-00`)), false)
  assert.equal(left(), 1)
  assert.equal(isSampled(await seen(`00-${TRACE}-${CLIENT_SPAN}-01`)), true)
  const refused = await seen(`00-${TRACE}-${CLIENT_SPAN}-01`)
  assert.deepEqual([isSampled(refused), traceIdOf(refused)], [false, TRACE])
})

test('a malformed traceparent starts a new trace', async (context) => {
  const { seen } = await withBudget(context, 100)
  for (const value of ['', 'x', `00-${TRACE}-${CLIENT_SPAN}`, `00-${'0'.repeat(32)}-${CLIENT_SPAN}-01`]) {
    const traceparent = await seen(value)
    assert.match(traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/, value)
    assert.notEqual(traceIdOf(traceparent), TRACE)
  }
})
