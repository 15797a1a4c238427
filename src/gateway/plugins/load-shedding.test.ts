import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { until } from '../../testing/index.ts'
import { ask } from '../gateway-fixture.ts'
import { pluggedIn } from './plugged-in-fixture.ts'

/** A gateway in front of a service that answers when it is told to. */
async function held(context: TestContext, config: Record<string, unknown>) {
  const waiting: ServerResponse[] = []
  const plugins = [
    { name: 'key-auth', config: { anonymous: 'nobody' } },
    { name: 'load-shedding', config: { concurrency_min: 1, ...config } },
  ]
  const handler = (_request: unknown, response: ServerResponse) => void waiting.push(response)
  const gateway = await pluggedIn(context, plugins, { handler })
  for (const [username, tags] of [
    ['nobody', null],
    ['vip', ['gold']],
    ['crawler', ['robots']],
  ] as const) {
    const consumer = { id: gateway.config.add('consumers', { username, tags }).id }
    gateway.config.add('keyauth_credentials', { key: username, consumer })
  }
  const as = (apikey: string) => ask(gateway.port, '/', { headers: { apikey } })
  const occupy = async (count: number, apikey = 'nobody') => {
    const before = waiting.length
    const answers = Array.from({ length: count }, () => as(apikey))
    await until(() => waiting.length === before + count, { what: `${count} requests are at the service` })
    return answers
  }
  const release = () => {
    for (const response of waiting.splice(0)) response.end('fine')
  }
  return { as, occupy, release, ...gateway }
}

test('what is above the limit is refused at once, with a time to come again, and passes when there is room', async (context) => {
  const { as, occupy, release } = await held(context, { concurrency_initial: 10, concurrency_max: 10, retry_after: 3 })
  const answers = await occupy(9)
  const refused = await as('nobody')
  assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '3'])
  assert.equal(JSON.parse(refused.body).message, 'Service overloaded')
  release()
  assert.deepEqual(new Set((await Promise.all(answers)).map((answer) => answer.status)), new Set([200]))
  const [later] = await occupy(1)
  release()
  assert.equal((await later)?.status, 200)
})

test('consumers of low priority are refused first, those of high priority last', async (context) => {
  const { as, occupy, release } = await held(context, {
    concurrency_initial: 10,
    concurrency_max: 10,
    high_priority_tags: ['gold'],
    low_priority_tags: ['robots'],
  })
  const passed = await occupy(7)
  assert.equal((await as('crawler')).status, 503)
  passed.push(...(await occupy(2)))
  assert.equal((await as('nobody')).status, 503)
  passed.push(...(await occupy(1, 'vip')))
  assert.equal((await as('vip')).status, 503)
  release()
  assert.equal((await Promise.all(passed)).length, 10)
})

test('a client that leaves gives its place back', async (context) => {
  const { port, gateway, as, occupy, release, seen } = await held(context, {
    concurrency_initial: 1,
    concurrency_max: 1,
  })
  const leaving = new AbortController()
  const left = fetch(`http://127.0.0.1:${port}/`, { signal: leaving.signal }).catch((error: unknown) => error)
  await until(() => seen.length === 1, { what: 'the request is at the service' })
  assert.equal((await as('nobody')).status, 503)
  leaving.abort()
  await left
  await until(() => gateway.stats().requestsActive === 0, { what: 'the gateway knows that it left' })
  const [answer] = await occupy(1)
  release()
  assert.equal((await answer)?.status, 200)
})
