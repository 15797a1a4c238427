import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock, systemRandom } from '../core/index.ts'
import { ConfigFixture } from './gateway-fixture.ts'
import { indexIdentities } from './identities.ts'
import { compilePlugins, type PluginChain } from './pipeline.ts'
import { PluginStates } from './plugin-states.ts'
import { type PluginDefinition, plugins } from './plugins/index.ts'

/** Definitions that say which of their configured instances was chosen. */
function tellingWhich() {
  const names = new WeakMap<object, string>()
  const definitions = plugins.map(
    (definition): PluginDefinition => ({
      ...definition,
      create(_config, { entity }) {
        const instance = {}
        names.set(instance, entity.instance_name ?? '')
        return instance
      },
    }),
  )
  const chosen = (chain: PluginChain) => chain.slots.map((instance) => instance && names.get(instance))
  return { definitions, chosen }
}

function environment(
  config: ConfigFixture,
  definitions: readonly PluginDefinition[],
  states: PluginStates = new PluginStates(),
) {
  const identities = () => indexIdentities(config.snapshot())
  return { definitions, clock: systemClock, random: systemRandom, identities, states }
}

test('of each kind of plugin the most specific scope replaces the others', () => {
  const config = new ConfigFixture()
  const service = config.add('services', { host: 'a' })
  const route = config.add('routes', { paths: ['/a'], service: { id: service.id } })
  const consumer = config.add('consumers', { username: 'bob' })
  const all = { route: { id: route.id }, service: { id: service.id }, consumer: { id: consumer.id } }
  const { route: byRoute, service: byService, consumer: byConsumer } = all
  const scopes: readonly (readonly [string, object])[] = [
    ['global', {}],
    ['service', { service: byService }],
    ['route', { route: byRoute }],
    ['consumer', { consumer: byConsumer }],
    ['route-service', { route: byRoute, service: byService }],
    ['service-consumer', { service: byService, consumer: byConsumer }],
    ['route-consumer', { route: byRoute, consumer: byConsumer }],
    ['all', all],
  ]
  const { definitions, chosen } = tellingWhich()
  for (const [instance_name, scope] of scopes) {
    config.add('plugins', { name: 'rate-limiting', instance_name, config: { minute: 1 }, ...scope })
    const { chains } = compilePlugins(config.snapshot(), environment(config, definitions))
    assert.deepEqual(chosen(chains(route.id, service.id).of(consumer.id)), [instance_name])
  }
  const { chains } = compilePlugins(config.snapshot(), environment(config, definitions))
  assert.deepEqual(chosen(chains(route.id, service.id).base), ['route-service'])
  assert.deepEqual(chosen(chains(route.id, undefined).base), ['route'])
  assert.deepEqual(chosen(chains('another', 'another').base), ['global'])
  assert.deepEqual(chosen(chains('another', 'another').of('another')), ['global'])
})

test('plugins run in order of priority', () => {
  const config = new ConfigFixture()
  config.add('plugins', { name: 'rate-limiting', instance_name: 'limit', config: { minute: 1 } })
  config.add('plugins', { name: 'key-auth', instance_name: 'auth' })
  config.add('plugins', { name: 'correlation-id', instance_name: 'id' })
  const { definitions, chosen } = tellingWhich()
  const { chains } = compilePlugins(config.snapshot(), environment(config, definitions))
  assert.deepEqual(chosen(chains('r', 's').base), ['id', 'auth', 'limit'])
})

test('a plugin that is switched off, or for other protocols, does not run', () => {
  const config = new ConfigFixture()
  config.add('plugins', { name: 'key-auth', enabled: false })
  config.add('plugins', { name: 'correlation-id', protocols: ['grpc'] })
  const { chains } = compilePlugins(config.snapshot(), environment(config, plugins))
  assert.deepEqual(chains('r', 's').base.slots, [])
})

test('a plugin that is not installed is a problem and refuses what it was to handle', () => {
  const config = new ConfigFixture()
  config.add('plugins', { name: 'key-auth' })
  const { chains, problems } = compilePlugins(config.snapshot(), environment(config, []))
  assert.match(problems[0] ?? '', /plugin key-auth \(.*\) cannot run: it is not installed/)
  const [refusing] = chains('r', 's').base.slots
  assert.throws(() => refusing?.access?.(undefined as never), /cannot run/)
})

test('what plugins keep and share lives as long as it is needed, and is then stopped', async () => {
  const states = new PluginStates()
  const gone: string[] = []
  const disposable = (name: string) => () => ({
    name,
    async stop() {
      gone.push(name)
    },
  })
  const definitions = plugins.map(
    (definition): PluginDefinition => ({
      ...definition,
      create(_config, { keep, share, entity }) {
        keep(disposable(`of ${entity.instance_name}`))
        if (entity.enabled) share('connection', disposable('connection'))
        return {}
      },
    }),
  )
  const config = new ConfigFixture()
  const added = ['a', 'b'].map((instance_name) => {
    const consumer = { id: config.add('consumers', { username: instance_name }).id }
    return config.add('plugins', { name: 'correlation-id', instance_name, consumer })
  })
  const compile = () => {
    for (const protocol of ['http', 'https'] as const) {
      compilePlugins(config.snapshot(), environment(config, definitions, states), protocol)
    }
    states.retain(config.snapshot().plugins)
  }
  compile()
  config.remove('plugins', added[0]?.id ?? '')
  compile()
  assert.deepEqual(gone, ['of a'])
  config.remove('plugins', added[1]?.id ?? '')
  compile()
  assert.deepEqual(gone, ['of a', 'of b', 'connection'])
  await states.stop({ deadlineAtMs: Date.now() + 5_000 })
  assert.deepEqual(gone, ['of a', 'of b', 'connection'])
})
