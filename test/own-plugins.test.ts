import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import weather from '../examples/plugins/app.ts'
import { gatewayPlugin } from '../src/index.ts'
import { startApp } from '../src/runtime/index.ts'

const PORTS = { GATEWAY_PORT: '0', ADMIN_PORT: '0', CONSOLE_PORT: '0', PORT: '0' }

async function startWeather(context: TestContext, options: { only?: readonly string[]; config?: string } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-plugins-'))
  const { only, config } = options
  const path = join(folder, 'kong.yml')
  if (config !== undefined) await writeFile(path, config)
  const env = { ...PORTS, DATA_DIR: folder, ...(config !== undefined && { GATEWAY_CONFIG: path }) }
  const running = await startApp(weather, { env, ...(only && { only }), log: () => undefined })
  context.after(async () => {
    await running.stop()
    await rm(folder, { recursive: true, force: true })
  })
  const { gateway = '', admin = '' } = running.addresses
  return { gateway, admin }
}

async function json(url: string, init: { method?: string; body?: unknown } = {}) {
  const body = init.body === undefined ? {} : { body: JSON.stringify(init.body) }
  const answer = await fetch(url, {
    method: init.method ?? 'GET',
    headers: { 'content-type': 'application/json' },
    ...body,
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, never> }
}

test('the plugin of the guide is configured through the Admin API and does its work', async (context) => {
  const { gateway, admin } = await startWeather(context)
  const node = (await json(admin)).body as unknown as { plugins: { available_on_server: Record<string, unknown> } }
  assert.deepEqual(node.plugins.available_on_server['trial-quota'], { version: '1.0.0', priority: 905 })
  const { enabled_plugins } = (await json(`${admin}/plugins/enabled`)).body as unknown as { enabled_plugins: string[] }
  assert.ok(enabled_plugins.includes('trial-quota'))
  const schema = await json(`${admin}/schemas/plugins/trial-quota`)
  assert.match(JSON.stringify(schema.body), /"calls":\{"type":"integer"/)

  const plugin = { name: 'trial-quota', config: { calls: 2, contact: 'sales' } }
  const refused = await json(`${admin}/plugins`, { method: 'POST', body: { ...plugin, config: { calls: 0 } } })
  assert.deepEqual(refused.body.fields, { config: { calls: 'value must be greater than 0' } })
  await json(`${admin}/services/weather-service/plugins`, { method: 'POST', body: { name: 'key-auth' } })
  const added = await json(`${admin}/services/weather-service/plugins`, { method: 'POST', body: plugin })
  assert.equal(added.status, 201)

  const { data } = (await json(`${admin}/consumers/partner/key-auth`)).body as unknown as { data: { key: string }[] }
  const call = () => fetch(`${gateway}/forecast`, { headers: { apikey: data[0]?.key ?? '' } })
  const answers = [await call(), await call(), await call()]
  assert.deepEqual(
    answers.map(({ status, headers }) => [status, headers.get('x-trial-calls-left')]),
    [
      [200, '1'],
      [200, '0'],
      [402, null],
    ],
  )
  assert.match(await (answers[2] as Response).text(), /ask sales for more/)
})

test('a gateway alone, without a database, has the plugins of its application', async (context) => {
  const { gateway, admin } = await startWeather(context, {
    only: ['gateway'],
    config: `
_format_version: "3.0"
routes: [{ name: all, paths: [/] }]
plugins: [{ name: trial-quota, config: { calls: 5 } }]
`,
  })
  assert.equal((await fetch(gateway)).status, 401)
  const { data } = (await json(`${admin}/plugins`)).body as unknown as { data: { config: unknown }[] }
  assert.deepEqual(data[0]?.config, { calls: 5, contact: null })
})

test('a plugin that cannot be used stops the start before anything runs', async () => {
  const { gateway } = weather
  const plugins = [
    gatewayPlugin({ name: 'cors', priority: 1, prepare: () => null, phases: { access: () => undefined } }),
  ]
  const broken = { ...weather, gateway: { ...gateway, plugins } }
  await assert.rejects(startApp(broken, { env: PORTS, log: () => undefined }), {
    code: 'GATEWAY_PLUGIN_INVALID',
    message: /cors: another plugin has this name already/,
  })
})
