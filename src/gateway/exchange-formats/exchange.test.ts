import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { parse } from 'yaml'
import { startTestCluster } from '../../testing/index.ts'
import { createAdminApi } from '../admin/admin-api.ts'
import type { ConfigStore } from '../config/entities.ts'
import { gatewayMigrations } from '../config/migrations.ts'
import { createConfigStore } from '../config/store.ts'
import { createDeclarativeStore } from '../declarative/declarative-store.ts'
import { gatewayPlugin, plugins, withOwnPlugins } from '../plugins/index.ts'
import { exportConfig, importConfig } from './exchange.ts'

const NO_CONNECTIONS = { accepted: 0, active: 0, handled: 0, reading: 0, writing: 0, waiting: 0, requests: 0 }
const INFO = { version: '3.9.1', nodeId: randomUUID(), hostname: 'test', connections: () => NO_CONNECTIONS }

const KONG = `
_format_version: "3.0"
services:
- name: shop
  url: https://shop.internal:8443/api
  retries: 2
  read_timeout: 5000
  tags: [core]
  routes:
  - { name: shop.pages, paths: [/shop], hosts: [shop.example.com], methods: [GET, HEAD] }
  - { name: shop.orders, paths: ["~/orders/[0-9]+$"], strip_path: false, regex_priority: 3, headers: { X-Tier: [gold] } }
  plugins:
  - { name: key-auth, config: { key_names: [apikey, token] } }
  - { name: rate-limiting, route: null, config: { minute: 100, hour: 2000, policy: local, limit_by: ip } }
consumers:
- { username: partner, custom_id: "42", keyauth_credentials: [{ key: secret-of-partner }] }
plugins:
- { name: correlation-id, config: { header_name: X-Request-Id, echo_downstream: true } }
- { name: rate-limiting, consumer: partner, service: shop, config: { second: 5, policy: local } }
`.replace(' route: null,', '')

async function serve(context: TestContext, store: ConfigStore) {
  const admin = createAdminApi({ store, plugins, info: INFO })
  const { port } = await admin.listen({ host: '127.0.0.1', port: 0 })
  context.after(() => admin.close({ deadlineAtMs: Date.now() + 1_000 }))
  return { admin: { url: `http://127.0.0.1:${port}` }, plugins }
}

function serveDocument(context: TestContext, text: string) {
  const store = createDeclarativeStore({ plugins })
  store.load(text)
  return serve(context, store)
}

async function serveDatabase(context: TestContext) {
  const databases = await startTestCluster({ shards: 1, migrations: [gatewayMigrations] })
  context.after(() => databases.stop())
  const store = createConfigStore({ cluster: databases.cluster, plugins })
  await store.start()
  context.after(() => store.stop({ deadlineAtMs: Date.now() + 1_000 }))
  return serve(context, store)
}

test('an export for Kong, imported elsewhere, is exported the same', async (context) => {
  const from = await serveDocument(context, KONG)
  const to = await serveDatabase(context)
  const { text, omitted } = await exportConfig('kong', from)
  assert.deepEqual(omitted, [])
  assert.deepEqual(await importConfig(text, to), { created: 9, updated: 0, unchanged: 0, omitted: [] })
  assert.equal((await exportConfig('kong', to)).text, text)
  assert.deepEqual(await importConfig(text, to), { created: 0, updated: 0, unchanged: 9, omitted: [] })
})

test('an import keeps the ids of what has the same name or scope, and deletes nothing', async (context) => {
  const to = await serveDatabase(context)
  const id = randomUUID()
  const declare = (extra: object) =>
    JSON.stringify({
      _format_version: '3.0',
      services: [{ name: 'shop', host: 'shop', plugins: [{ name: 'key-auth' }], ...extra }],
    })
  await importConfig(declare({ id }), to)
  await importConfig(JSON.stringify({ _format_version: '3.0', services: [{ name: 'other', host: 'other' }] }), to)
  const again = await importConfig(declare({ host: 'elsewhere' }), to)
  assert.deepEqual(again, { created: 0, updated: 1, unchanged: 1, omitted: [] })
  const { services, plugins: scoped } = parse((await exportConfig('kong', to)).text)
  assert.deepEqual(
    services.map(({ name, host }: Record<string, unknown>) => [name, host]),
    [
      ['other', 'other'],
      ['shop', 'elsewhere'],
    ],
  )
  assert.deepEqual([services[1].id, scoped[0].service], [id, id])
})

test('a file with a mistake is refused before anything is written', async (context) => {
  const to = await serveDatabase(context)
  const text = JSON.stringify({ _format_version: '3.0', services: [{ name: 'good', host: 'good' }, { name: 'bad' }] })
  await assert.rejects(importConfig(text, to), /host="required field missing"/)
  assert.doesNotMatch((await exportConfig('kong', to)).text, /good/)
})

test('an export for APISIX says the same in its words, and names what it cannot', async (context) => {
  const { text, omitted } = await exportConfig('apisix', await serveDocument(context, KONG))
  assert.match(text, /\n#END\n$/)
  const { services, routes, consumers, global_rules } = parse(text)
  const [service] = services
  assert.deepEqual(service.upstream, {
    type: 'roundrobin',
    scheme: 'https',
    nodes: { 'shop.internal:8443': 1 },
    retries: 2,
    timeout: { connect: 60, send: 60, read: 5 },
    pass_host: 'node',
  })
  assert.deepEqual(service.plugins['limit-count'], {
    count: 100,
    time_window: 60,
    key_type: 'var',
    key: 'remote_addr',
    rejected_code: 429,
    rejected_msg: 'API rate limit exceeded',
    policy: 'local',
  })
  const [pages, orders] = ['shop.pages', 'shop.orders'].map((name) =>
    routes.find((route: Record<string, unknown>) => route.name === name),
  )
  assert.deepEqual([pages.uris, pages.hosts, pages.methods], [['/shop*'], ['shop.example.com'], ['GET', 'HEAD']])
  assert.deepEqual(pages.plugins['proxy-rewrite'], { regex_uri: ['^(?:/shop)/?(.*)$', '/api/$1'] })
  assert.deepEqual(orders.vars, [
    ['uri', '~~', '^/orders/[0-9]+$'],
    ['http_x_tier', 'in', ['gold']],
  ])
  assert.deepEqual([orders.uris, orders.priority, orders.service_id], [['/*'], 1_003, service.id])
  assert.deepEqual(consumers, [{ username: 'partner', plugins: { 'key-auth': { key: 'secret-of-partner' } } }])
  assert.deepEqual(Object.keys(global_rules[0].plugins), ['request-id'])
  assert.deepEqual(omitted.toSorted(), [
    'consumer partner: its custom_id',
    'plugin key-auth: the further key name "token"',
    'plugin rate-limiting: itself, for it is about a service and a consumer',
    'plugin rate-limiting: the limit per hour, beside the one per minute',
  ])
})

const NEWER = `
_format_version: "3.0"
services:
- { name: shop, host: shop, plugins: [
    { name: canary, config: { upstream_host: shop-v2, upstream_port: 81, percentage: 12.5, canary_by_header_name: X-Canary } },
    { name: proxy-mirror, config: { host: "http://mirror:80", path: /copy, sample_ratio: 0.5, methods: [GET] } } ] }
- { name: mail, host: mail, plugins: [{ name: canary, config: { upstream_host: mail-v2 } }] }
`

test('a canary and a mirror are said in APISIX’ words and read from them, and listed where Kong has none', async (context) => {
  const from = await serveDocument(context, NEWER)
  assert.deepEqual((await exportConfig('kong', from)).omitted, [
    'plugin canary: only Kong’s paid edition has it, others refuse the file with it',
    'plugin proxy-mirror: Kong does not have it, and refuses the file with it',
  ])
  const { text, omitted } = await exportConfig('apisix', from)
  assert.deepEqual(omitted.toSorted(), [
    'plugin canary: itself',
    'plugin canary: the hash consumer: it divides by turns',
    'plugin proxy-mirror: methods: it copies all',
  ])
  const shop = parse(text).services.find(({ name }: { name: string }) => name === 'shop')
  const upstream = { type: 'roundrobin', nodes: { 'shop-v2:81': 1 } }
  assert.deepEqual(shop.plugins['traffic-split'].rules, [
    { match: [{ vars: [['http_x_canary', '==', 'always']] }], weighted_upstreams: [{ upstream, weight: 1 }] },
    { match: [{ vars: [['http_x_canary', '==', 'never']] }], weighted_upstreams: [{ weight: 1 }] },
    { weighted_upstreams: [{ upstream, weight: 125 }, { weight: 875 }] },
  ])
  const to = await serveDatabase(context)
  assert.deepEqual((await importConfig(text, to)).omitted, [])
  const { plugins: read } = parse((await exportConfig('kong', to)).text)
  const configOf = (name: string) => read.find((plugin: { name: string }) => plugin.name === name).config
  assert.deepEqual(configOf('canary'), {
    percentage: 12.5,
    hash: 'none',
    canary_by_header_name: 'x-canary',
    upstream_host: 'shop-v2',
    upstream_port: 81,
  })
  assert.deepEqual(configOf('proxy-mirror'), { host: 'http://mirror:80', path: '/copy', sample_ratio: 0.5 })
})

test('a split of APISIX that a canary cannot say is named', async (context) => {
  const split = (rules: object[]) =>
    JSON.stringify({
      services: [
        { id: '1', name: 'shop', upstream: { nodes: { 'shop:80': 1 } }, plugins: { 'traffic-split': { rules } } },
      ],
    })
  const to = await serveDatabase(context)
  const node = (host: string) => ({ upstream: { nodes: { [host]: 1 } }, weight: 1 })
  const three = await importConfig(split([{ weighted_upstreams: [node('a:1'), node('b:1'), { weight: 1 }] }]), to)
  assert.deepEqual(three.omitted, ['service shop: plugin traffic-split'])
  const match = [{ vars: [['arg_beta', '==', '1']] }]
  const conditional = [
    { match, weighted_upstreams: [node('a:1')] },
    { weighted_upstreams: [node('a:1'), { weight: 3 }] },
  ]
  const kept = await importConfig(split(conditional), to)
  assert.deepEqual(kept.omitted, [`service shop: plugin traffic-split: the rule for ${JSON.stringify(match)}`])
})

test('plugins that an application brought are exported and imported as well', async (context) => {
  const own = gatewayPlugin({
    name: 'trial',
    priority: 5,
    config: [{ calls: { type: 'integer', default: 100, gt: 0 } }],
    prepare: () => undefined,
    phases: { access: () => undefined },
  })
  const store = createDeclarativeStore({ plugins: withOwnPlugins(plugins, [own]) })
  const text = JSON.stringify({ _format_version: '3.0', plugins: [{ name: 'trial', config: { calls: 3 } }] })
  store.load(text)
  const admin = createAdminApi({ store, plugins: withOwnPlugins(plugins, [own]), info: INFO })
  const { port } = await admin.listen({ host: '127.0.0.1', port: 0 })
  context.after(() => admin.close({ deadlineAtMs: Date.now() + 1_000 }))
  const place = { admin: { url: `http://127.0.0.1:${port}` }, plugins }
  const exported = await exportConfig('kong', place)
  assert.deepEqual(parse(exported.text).plugins[0].config, { calls: 3 })
  assert.deepEqual(exported.omitted, ['plugin trial: Kong does not have it, and refuses the file with it'])
  assert.deepEqual(await importConfig(exported.text, place), { created: 0, updated: 0, unchanged: 1, omitted: [] })
  await assert.rejects(importConfig(exported.text.replace('calls: 3', 'calls: 0'), place), /greater than 0/)
})

const APISIX = `
routes:
- uri: /orders/*
  name: orders
  methods: [GET]
  host: shop.example.com
  vars: [[http_x_tier, ==, gold], [arg_page, ==, "1"]]
  plugins: { key-auth: {}, limit-count: { count: 3, time_window: 60, key: remote_addr, policy: local }, zipkin: {} }
  upstream: { type: roundrobin, scheme: http, nodes: { "orders.internal:8080": 1 }, timeout: { connect: 1, send: 2, read: 3 } }
- uri: /exact
  service_id: "7"
  script: x
services:
- id: "7"
  name: pages
  upstream: { nodes: [{ host: pages.internal, port: 80, weight: 1 }] }
consumers:
- username: partner
  plugins: { key-auth: { key: secret } }
ssls:
- { id: 1 }
#END
`

test('an import from APISIX does what the file says, and names what it cannot', async (context) => {
  const to = await serveDatabase(context)
  const { created, omitted } = await importConfig(APISIX, to)
  assert.equal(created, 8)
  assert.deepEqual(
    omitted.toSorted(),
    [
      'route orders: plugin zipkin',
      'route orders: the condition ["arg_page","==","1"]',
      'route route-exact: its script',
      'ssls: all 1 of them',
    ].toSorted(),
  )
  const { services, routes, plugins: scoped, keyauth_credentials } = parse((await exportConfig('kong', to)).text)
  const orders = services.find(({ name }: { name: string }) => name === 'orders')
  assert.deepEqual(
    [orders.host, orders.port, orders.connect_timeout, orders.read_timeout],
    ['orders.internal', 8080, 1_000, 3_000],
  )
  const route = routes.find(({ name }: { name: string }) => name === 'orders')
  assert.deepEqual(route.paths, ['/orders/'])
  assert.deepEqual(
    [route.hosts, route.headers, route.strip_path],
    [['shop.example.com'], { 'x-tier': ['gold'] }, false],
  )
  const limit = scoped.find(({ name }: { name: string }) => name === 'rate-limiting')
  assert.deepEqual([limit.config.minute, limit.config.limit_by, limit.config.error_code], [3, 'ip', 503])
  assert.equal(keyauth_credentials[0].key, 'secret')
})
