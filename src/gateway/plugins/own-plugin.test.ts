import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { until } from '../../testing/index.ts'
import { type RequestFailed, requestFailed } from '../channels.ts'
import { createCatalog } from '../config/catalog.ts'
import type { NamedField } from '../config/schema.ts'
import { headerName } from '../exchange.ts'
import { addRoute, ask, ConfigFixture, startGateway } from '../gateway-fixture.ts'
import { plugins as installed } from './index.ts'
import { gatewayPlugin, type OwnPhases, withOwnPlugins } from './own-plugin.ts'

const TRAIL = headerName('X-Trail')

/** Writes its name into a header at each phase, as many times as it is configured. */
function trail(name: string, priority: number) {
  return gatewayPlugin({
    name,
    priority,
    config: [{ mark: { type: 'string', required: true, default: name } }],
    prepare: ({ mark }: { readonly mark: string }, { keep }) => ({ mark, kept: keep(() => ({ count: 0 })) }),
    phases: {
      access(exchange, { mark, kept }) {
        kept.count += 1
        exchange.headers['x-trail'] = `${exchange.headers['x-trail'] ?? ''}${mark}${kept.count}`
        return undefined
      },
      header: (exchange, { mark }) => exchange.addReplyHeader(TRAIL, mark),
    },
  })
}

type Declared = ReturnType<typeof trail>

async function gatewayWith(context: TestContext, declared: readonly Declared[]) {
  const plugins = withOwnPlugins(installed, declared)
  const config = new ConfigFixture(createCatalog(plugins))
  addRoute(config, { paths: ['/'] })
  const { port } = await startGateway(context, {
    config,
    plugins,
    resolve: () => ({
      kind: 'local',
      dispatch: (request, response) => response.end(String(request.headers['x-trail'] ?? '')),
    }),
  })
  return { config, port }
}

test('plugins of an application run by their priority, with defaults, and keep their state', async (context) => {
  const { config, port } = await gatewayWith(context, [trail('later', 5), trail('earlier', 7_000)])
  const later = config.add('plugins', { name: 'later' })
  config.add('plugins', { name: 'earlier', config: { mark: 'first' } })
  assert.equal((await ask(port, '/')).body, 'first1later1')
  config.remove('plugins', later.id)
  const { body, headers } = await ask(port, '/')
  assert.deepEqual([body, headers['x-trail']], ['first2', 'first'])
})

test('the configuration of a plugin of an application is validated by its fields', async (context) => {
  const { config } = await gatewayWith(context, [trail('later', 5)])
  assert.throws(() => config.add('plugins', { name: 'later', config: { mark: 7 } }), /mark: expected a string/)
  assert.throws(() => config.add('plugins', { name: 'later', config: { marks: 'x' } }), /unknown field/)
})

function failing(phases: OwnPhases<unknown>) {
  return gatewayPlugin({ name: 'failing', priority: 50, prepare: () => undefined, phases })
}

function fails(): never {
  throw new Error('a defect')
}

test('what a plugin of an application throws ends its request, and nothing else', async (context) => {
  const failures: RequestFailed[] = []
  context.after(requestFailed.subscribe((fact) => void failures.push(fact)))
  const access = await gatewayWith(context, [failing({ access: fails })])
  access.config.add('plugins', { name: 'failing' })
  assert.equal((await ask(access.port, '/')).status, 500)
  for (const phases of [{ header: fails }, { response: fails }]) {
    const { config, port } = await gatewayWith(context, [failing(phases)])
    config.add('plugins', { name: 'failing' })
    await assert.rejects(ask(port, '/'), `nothing goes out that ${Object.keys(phases)} was meant to change`)
  }
  assert.equal(failures.length, 3)
})

test('a log phase that throws or rejects is told, and the answer is whole', async (context) => {
  const failures: RequestFailed[] = []
  context.after(requestFailed.subscribe((fact) => void failures.push(fact)))
  for (const [index, log] of [fails, async () => fails()].entries()) {
    const { config, port } = await gatewayWith(context, [failing({ log })])
    config.add('plugins', { name: 'failing' })
    assert.equal((await ask(port, '/')).status, 200)
    await until(() => failures.length === index + 1, { what: 'the failure to be told' })
  }
})

test('all mistakes in plugins of an application are said at once', () => {
  const broken = (name: string, more: object) =>
    gatewayPlugin({ name, priority: 1, prepare: () => undefined, phases: { access: () => undefined }, ...more })
  const fields = (config: unknown) => ({ config: config as readonly NamedField[] })
  const declared = [
    broken('key-auth', {}),
    broken('Bad_Name', { version: '1', priority: Number.NaN }),
    broken('phases', { phases: { acess: () => undefined, log: 'no' } }),
    broken('none', { phases: {} }),
    broken('twice', {}),
    broken('twice', {}),
    broken(
      'fields',
      fields([{ limit: { type: 'int' } }, { name: { type: 'string', defualt: 'x' } }, { a: {}, b: {} }]),
    ),
    broken('inner', fields([{ list: { type: 'array' } }, { limit: { type: 'integer', gt: 0, default: 0 } }])),
    { name: 'by-hand' },
  ]
  assert.throws(
    () => withOwnPlugins(installed, declared),
    (error: Error) => {
      const [, ...problems] = error.message.split('\n- ')
      assert.deepEqual(problems, [
        'key-auth: another plugin has this name already',
        'Bad_Name: its name must be kebab-case, like "tenant-header"',
        'Bad_Name: version "1" must be like "1.0.0"',
        'Bad_Name: priority NaN must be a number',
        'phases: there is no phase "acess": phases are access, response, header, log',
        'phases: phase log must be a function',
        'none: it has no phase: give it at least one of access, response, header, log',
        'twice: another plugin has this name already',
        'fields: config.limit: type must be one of string, number, integer, boolean, record, array, set, map, json',
        'fields: config.name: a field has no "defualt"',
        "fields: config[2] must have one name and its field, like { limit: { type: 'integer' } }",
        'inner: config.list: a list needs elements',
        'inner: config.limit: its default does not fit: value must be greater than 0',
        '"by-hand" was not made by gatewayPlugin()',
      ])
      return true
    },
  )
})
