import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { test } from 'node:test'
import { until } from '../testing/index.ts'
import { type RequestFinished, requestFinished } from './channels.ts'
import { addRoute, ask, ConfigFixture, startGateway } from './gateway-fixture.ts'

test('what became of a request names the plugin that answered in place of the service, and nobody otherwise', async (context) => {
  const config = new ConfigFixture()
  const { route } = addRoute(config, { paths: ['/'] })
  const { id: consumer } = config.add('consumers', { username: 'bob' })
  config.add('keyauth_credentials', { key: 'bobs-key', consumer: { id: consumer } })
  config.add('plugins', { name: 'key-auth', route: { id: route.id } })
  const limit = config.add('plugins', { name: 'rate-limiting', config: { minute: 9 }, route: { id: route.id } })
  const own = config.add('plugins', {
    name: 'rate-limiting',
    config: { minute: 1 },
    route: { id: route.id },
    consumer: { id: consumer },
  })
  const dispatch = (_request: IncomingMessage, response: ServerResponse) => void response.end()
  const { port } = await startGateway(context, { config, resolve: () => ({ kind: 'local', dispatch }) })
  const heard: RequestFinished[] = []
  context.after(requestFinished.subscribe((fact) => heard.push(fact)))
  const headers = { apikey: 'bobs-key' }
  const statuses = []
  for (const options of [{}, { headers }, { headers }]) statuses.push((await ask(port, '/', options)).status)
  await until(() => heard.length === 3)
  assert.deepEqual(statuses, [401, 200, 429])
  const [unknown, served, limited] = heard.map(({ plugin }) => plugin)
  assert.deepEqual([unknown?.name, served], ['key-auth', undefined])
  assert.deepEqual([limited?.name, limited?.id], ['rate-limiting', own.id], `not ${limit.id}, which it replaced`)
})
