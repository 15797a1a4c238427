import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestCluster, until } from '../../testing/index.ts'
import { plugins } from '../plugins/index.ts'
import { createCatalog } from './catalog.ts'
import { gatewayMigrations } from './migrations.ts'
import { prepareInsert } from './prepare.ts'
import type { GatewaySeed } from './seed.ts'
import { createConfigStore, type SeedingConfigStore } from './store.ts'

const catalog = createCatalog(plugins)
const stop = () => ({ deadlineAtMs: Date.now() + 5_000 })

let testCluster: Awaited<ReturnType<typeof startTestCluster>>
let store: SeedingConfigStore

before(async () => {
  testCluster = await startTestCluster({ shards: 1, migrations: [gatewayMigrations] })
  store = createConfigStore({ cluster: testCluster.cluster, plugins })
  await store.start()
})

after(async () => {
  await store?.stop(stop())
  await testCluster?.stop()
})

const insert = (kind: string, values: Record<string, unknown>) =>
  store.insert(kind, prepareInsert(catalog, catalog.kind(kind), values))

const NOBODY = '00000000-0000-4000-8000-000000000000'

const SEED: GatewaySeed = {
  services: [{ name: 'orders', host: 'orders', port: 8080 }],
  routes: [{ name: 'orders.get', service: 'orders', methods: ['GET'], paths: ['~/orders/[^/]+$'], strip_path: false }],
  consumers: [{ username: 'storefront' }],
  plugins: [{ name: 'key-auth', route: 'orders.get' }],
}

test('what the application declares is there after the seed, with a key for each consumer', async () => {
  await store.seed(SEED)
  const { services, routes, consumers, keyAuthCredentials, plugins: scoped } = store.snapshot()
  assert.deepEqual(
    services.map(({ name, port }) => [name, port]),
    [['orders', 8080]],
  )
  assert.deepEqual([routes[0]?.service?.id, scoped[0]?.route?.id], [services[0]?.id, routes[0]?.id])
  assert.deepEqual(
    keyAuthCredentials.map(({ consumer }) => consumer.id),
    [consumers[0]?.id],
  )
  assert.match(keyAuthCredentials[0]?.key ?? '', /^[a-zA-Z0-9]{32}$/)
})

test('seeding again changes nothing', async () => {
  const { version: _, ...before } = store.snapshot()
  await store.seed(SEED)
  const { version: __, ...after } = store.snapshot()
  assert.deepEqual(after, before)
})

test('a changed declaration is followed until an operator touches the entity', async () => {
  const withPort = (port: number): GatewaySeed => ({ ...SEED, services: [{ name: 'orders', host: 'orders', port }] })
  const port = () => store.snapshot().services[0]?.port
  const { id, created_at } = store.snapshot().services[0] ?? assert.fail()
  await store.seed(withPort(8081))
  assert.deepEqual([port(), store.snapshot().services[0]?.created_at], [8081, created_at])
  await store.update('services', id, (current) => ({ ...current, port: 9000 }))
  await store.seed(withPort(8082))
  assert.equal(port(), 9000)
})

test('what an operator deleted stays deleted, and new routes are added', async () => {
  const [plugin] = store.snapshot().plugins
  await store.delete('plugins', plugin?.id ?? '')
  const added = { name: 'orders.post', service: 'orders', methods: ['POST'], paths: ['~/orders$'] }
  await store.seed({ ...SEED, routes: [...(SEED.routes ?? []), added] })
  assert.deepEqual(store.snapshot().plugins, [])
  assert.deepEqual(
    store
      .snapshot()
      .routes.map(({ name }) => name)
      .sort(),
    ['orders.get', 'orders.post'],
  )
})

test("an operator's entity of the same name is left alone", async () => {
  const mine = await insert('services', { name: 'payments', host: 'mine' })
  await store.seed({ services: [{ name: 'payments', host: 'payments' }] })
  const payments = store.snapshot().services.filter(({ name }) => name === 'payments')
  assert.deepEqual(
    payments.map(({ id, host }) => [id, host]),
    [[mine.id, 'mine']],
  )
})

test('another process sees a write, a deletion and nothing in between', async () => {
  const other = createConfigStore({ cluster: testCluster.cluster, plugins })
  await other.start()
  try {
    assert.deepEqual(other.snapshot(), store.snapshot())
    const { services } = other.snapshot()
    const consumer = await insert('consumers', { username: 'bob' })
    await until(() => other.snapshot().version === store.snapshot().version)
    assert.ok(other.snapshot().consumers.some(({ id }) => id === consumer.id))
    assert.equal(other.snapshot().services, services, 'what did not change is the same object')
    await store.delete('consumers', String(consumer.id))
    await until(() => other.snapshot().version === store.snapshot().version)
    assert.ok(!other.snapshot().consumers.some(({ id }) => id === consumer.id))
  } finally {
    await other.stop(stop())
  }
})

test('a failed write leaves neither rows nor a version', async () => {
  await insert('consumers', { username: 'carol', custom_id: 'c' })
  const before = store.snapshot()
  await assert.rejects(insert('consumers', { username: 'dave', custom_id: 'c' }), { status: 409 })
  await insert('consumers', { username: 'dave' })
  assert.equal(store.snapshot().version, before.version + 1)
  assert.equal(store.snapshot().consumers.length, before.consumers.length + 1)
})

test('long unique values are unique too', async () => {
  const username = 'x'.repeat(100_000)
  await insert('consumers', { username })
  await assert.rejects(insert('consumers', { username }), { status: 409 })
  assert.equal((await store.get('consumers', { field: 'username', value: username }))?.username, username)
})

test('a stopped store refuses writes and keeps its last snapshot', async () => {
  const other = createConfigStore({ cluster: testCluster.cluster, plugins })
  await assert.rejects(other.delete('services', NOBODY), { code: 'GATEWAY_STORE_STOPPED' })
  await other.start()
  const config = other.snapshot()
  await other.stop(stop())
  await other.stop(stop())
  await assert.rejects(other.delete('services', NOBODY), { code: 'GATEWAY_STORE_STOPPED' })
  assert.equal(other.snapshot(), config)
})
