import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GatewayConfiguration, GatewayPlugin } from '../../../src/console/index.ts'
import { pluginsInForce } from './in-force.ts'

let made = 0
function plugin(name: string, scope: Partial<GatewayPlugin> = {}): GatewayPlugin {
  const everything = { service: undefined, route: undefined, consumer: undefined }
  const plain = { instanceName: null, enabled: true, protocols: ['http'], config: {} }
  return { id: `${name}-${made++}`, name, ...everything, ...plain, ...scope }
}

const globalLimit = plugin('rate-limiting')
const serviceLimit = plugin('rate-limiting', { service: 's1' })
const routeLimit = plugin('rate-limiting', { route: 'r1' })
const bobsLimit = plugin('rate-limiting', { consumer: 'bob' })
const auth = plugin('key-auth', { service: 's1' })
const off = plugin('cors', { enabled: false })
const elsewhere = plugin('cors', { service: 's2' })
const route = { name: null, protocols: [], methods: [], hosts: [], paths: [], service: 's1' }
const configuration: GatewayConfiguration = {
  services: [],
  consumers: [],
  upstreams: [],
  routes: [
    { id: 'r1', ...route },
    { id: 'r2', ...route },
  ],
  plugins: [globalLimit, serviceLimit, routeLimit, bobsLimit, auth, off, elsewhere],
  installed: ['cors', 'key-auth', 'rate-limiting'],
  isReadOnly: false,
  incomplete: [],
}

const idsOf = (kind: 'all' | 'service' | 'route' | 'consumer', id: string) =>
  pluginsInForce(configuration, { kind, id }).map((one) => one.id)

test('of each kind the narrowest scope is in force, in the order in which plugins run, beside those of consumers', () => {
  assert.deepEqual(idsOf('route', 'r1'), [auth.id, routeLimit.id, bobsLimit.id])
  assert.deepEqual(idsOf('route', 'r2'), [auth.id, serviceLimit.id, bobsLimit.id])
  assert.deepEqual(idsOf('service', 's1'), [auth.id, serviceLimit.id, bobsLimit.id])
  assert.deepEqual(idsOf('service', 's2'), [elsewhere.id, globalLimit.id, bobsLimit.id])
})

test('of a consumer its own are listed, and of everything those without a scope', () => {
  assert.deepEqual(idsOf('consumer', 'bob'), [bobsLimit.id])
  assert.deepEqual(idsOf('all', ''), [globalLimit.id])
})
