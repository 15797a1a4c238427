import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import {
  createAdminApi,
  createConfigStore,
  gatewayMigrations,
  installedPlugins as plugins,
} from '../src/gateway/index.ts'
import { startTestCluster } from '../src/testing/index.ts'

/**
 * The requests of decK's ping, sync, diff and dump, in its order and with its rules for what counts as a difference.
 * They are written from a description of its protocol, not recorded: it is no dependency of the tests. So this shows
 * that its requests are answered as it needs, not that decK itself ran.
 * Source: deck 1.49, go-database-reconciler 1.42 (`pkg/dump`, `pkg/diff`, `pkg/schema`), go-kong 0.77.
 */
type Values = Record<string, unknown>
type Declared = { readonly kind: string; readonly id: string; readonly values: Values; readonly put: string }

const NO_CONNECTIONS = { accepted: 0, active: 0, handled: 0, reading: 0, writing: 0, waiting: 0, requests: 0 }
const INFO = { version: '3.9.1', nodeId: randomUUID(), hostname: 'test', connections: () => NO_CONNECTIONS }

/** Lists that decK must get; of the others it takes a 404. */
const REQUIRED = ['services', 'routes', 'plugins', 'consumers', 'upstreams', 'certificates', 'ca_certificates', 'snis']
const TOLERATED = [
  'vaults',
  'filter-chains',
  'partials',
  'keys',
  'key-sets',
  'consumer_groups',
  'key-auths',
  'hmac-auths',
]

const ids = { service: randomUUID(), route: randomUUID(), consumer: randomUUID(), key: randomUUID() }

/** What a state file declares, as decK puts it: parents before children, each under an id of its own. */
const STATE: readonly Declared[] = [
  { kind: 'consumers', id: ids.consumer, values: { username: 'partner', tags: ['deck'] }, put: '/consumers' },
  { kind: 'services', id: ids.service, values: { name: 'shop', host: 'shop', tags: ['deck'] }, put: '/services' },
  {
    kind: 'key-auths',
    id: ids.key,
    values: { key: 'secret-of-partner', tags: ['deck'] },
    put: `/consumers/${ids.consumer}/key-auth`,
  },
  {
    kind: 'routes',
    id: ids.route,
    values: { name: 'shop.all', paths: ['/shop'], service: { id: ids.service }, tags: ['deck'] },
    put: '/routes',
  },
  {
    kind: 'plugins',
    id: randomUUID(),
    values: {
      name: 'rate-limiting',
      service: { id: ids.service },
      config: { minute: 100, policy: 'local' },
      tags: ['deck'],
    },
    put: '/plugins',
  },
  {
    kind: 'plugins',
    id: randomUUID(),
    values: { name: 'key-auth', route: { id: ids.route }, tags: ['deck'] },
    put: '/plugins',
  },
]

let testCluster: Awaited<ReturnType<typeof startTestCluster>>
let stopAll: () => Promise<void>
let base = ''

before(async () => {
  testCluster = await startTestCluster({ shards: 1, migrations: [gatewayMigrations] })
  const store = createConfigStore({ cluster: testCluster.cluster, plugins })
  await store.start()
  const admin = createAdminApi({ store, plugins, info: INFO })
  base = `http://127.0.0.1:${(await admin.listen({ host: '127.0.0.1', port: 0 })).port}`
  stopAll = async () => {
    const stop = { deadlineAtMs: Date.now() + 5_000 }
    await admin.close(stop)
    await store.stop(stop)
  }
})

after(async () => {
  await stopAll?.()
  await testCluster?.stop()
})

async function ask(method: string, path: string, sent?: unknown) {
  const body = sent === undefined ? {} : { body: JSON.stringify(sent), headers: { 'Content-Type': 'application/json' } }
  const response = await fetch(base + path, { method, ...body })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: (text === '' ? {} : JSON.parse(text)) as Values }
}

/** Follows `offset`, as decK does, never `next`. */
async function list(kind: string): Promise<Values[]> {
  const found: Values[] = []
  let offset = ''
  do {
    const reply = await ask('GET', `/${kind}?size=1000&tags=deck${offset === '' ? '' : `&offset=${offset}`}`)
    assert.equal(reply.status, 200, kind)
    found.push(...(reply.body.data as Values[]))
    offset = String(reply.body.offset ?? '')
  } while (offset !== '')
  return found
}

/** A declared entity with the defaults of its schema, as decK completes both sides before it compares them. */
async function completed(kind: string, values: Values): Promise<Values> {
  const path = kind === 'plugins' ? `plugins/${String(values.name)}` : kind
  const { status, body } = await ask('GET', `/schemas/${path}`)
  // A plugin's own schema does not say that it is on, and decK assumes it.
  const own = kind === 'plugins' ? { enabled: true, ...values } : values
  return status === 404 ? own : withDefaults(body, own)
}

type Schema = { readonly fields?: readonly Record<string, Schema & { type: string; default?: unknown }>[] }

function withDefaults({ fields = [] }: Schema, values: Values): Values {
  const output = { ...values }
  for (const [name, field] of fields.flatMap((entry) => Object.entries(entry))) {
    const value = output[name]
    if (field.type === 'record' && field.fields) output[name] = withDefaults(field, (value ?? {}) as Values)
    else if (value === undefined && field.default !== undefined) output[name] = field.default
  }
  return output
}

/** What is left when ids and times are dropped and null counts as missing, sets in any order. */
function compared(value: unknown): unknown {
  if (Array.isArray(value))
    return value.map(compared).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value)
    .filter(([name, inner]) => inner !== null && !['created_at', 'updated_at', 'ttl'].includes(name))
    .map(([name, inner]) => [name, compared(inner)] as const)
    .filter(([, inner]) => !isDeepStrictEqual(inner, {}))
  return Object.fromEntries(kept.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Ids of declared entities that are missing or differ, and of present ones that are not declared. */
async function diff(state: readonly Declared[]): Promise<string[]> {
  const differing: string[] = []
  for (const kind of new Set(state.map((each) => each.kind))) {
    const present = new Map((await list(kind)).map((entity) => [String(entity.id), entity]))
    for (const { id, values } of state.filter((each) => each.kind === kind)) {
      const declared = (await completed(kind === 'key-auths' ? 'keyauth_credentials' : kind, values)) as Values
      const { id: _, ...current } = present.get(id) ?? {}
      const known = Object.fromEntries(
        Object.entries(current).filter(([name]) => name !== 'consumer' || kind === 'plugins'),
      )
      if (!isDeepStrictEqual(compared(withoutOldNames(known)), compared(declared))) differing.push(id)
      present.delete(id)
    }
    differing.push(...present.keys())
  }
  return differing
}

/** Shorthands with a replacement are dropped before the comparison. */
function withoutOldNames(entity: Values): Values {
  if (entity.name !== 'rate-limiting') return entity
  const config = Object.entries(entity.config as Values).filter(([name]) => !name.startsWith('redis_'))
  return { ...entity, config: Object.fromEntries(config) }
}

async function sync(state: readonly Declared[]): Promise<void> {
  for (const { put, id, values } of state) {
    const { status, body } = await ask('PUT', `${put}/${id}`, { ...values, id })
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal(body.id, id)
  }
}

test('ping: the root says a version that decK takes for Kong’s', async () => {
  const { status, body, headers } = await ask('GET', '/')
  assert.equal(status, 200)
  assert.match(String(body.version), /^3\.\d+\.\d+$/)
  assert.doesNotMatch(headers.get('server') ?? '', /ai-gateway/)
})

test('dump: every list that decK must have is there, of the others a 404 is JSON', async () => {
  for (const kind of REQUIRED) assert.equal((await ask('GET', `/${kind}?size=1000`)).status, 200, kind)
  for (const kind of TOLERATED) assert.ok([200, 404].includes((await ask('GET', `/${kind}?size=1000`)).status), kind)
  for (const name of ['services', 'routes', 'plugins/rate-limiting', 'plugins/key-auth']) {
    const { status, body } = await ask('GET', `/schemas/${name}`)
    assert.deepEqual([status, Array.isArray(body.fields)], [200, true], name)
  }
})

test('a sync is followed by a diff without differences, and so is a sync of the dump', async () => {
  assert.deepEqual((await diff(STATE)).length, STATE.length)
  await sync(STATE)
  assert.deepEqual(await diff(STATE), [])
  const dumped = await Promise.all(
    STATE.map(async (each) => {
      const entity = (await list(each.kind)).find(({ id }) => id === each.id) as Values
      const { id: _, created_at: __, updated_at: ___, ...values } = entity
      return { ...each, values }
    }),
  )
  await sync(dumped)
  assert.deepEqual(await diff(STATE), [])
})

test('an entity that changed by hand differs, and deletions in reverse order leave nothing', async () => {
  await sync(STATE)
  await ask('PATCH', `/services/${ids.service}`, { retries: 1 })
  assert.deepEqual(await diff(STATE), [ids.service])
  for (const { put, id } of STATE.toReversed()) assert.equal((await ask('DELETE', `${put}/${id}`)).status, 204)
  for (const kind of new Set(STATE.map((each) => each.kind))) assert.deepEqual(await list(kind), [])
})

test('ten writers at once, as decK has, all succeed and read what they wrote', async () => {
  const services = Array.from({ length: 40 }, (_, index) => ({
    id: randomUUID(),
    name: `parallel-${index}`,
    host: 'x',
  }))
  const waiting = [...services]
  const write = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      assert.equal((await ask('PUT', `/services/${next.id}`, next)).status, 200)
      assert.equal((await ask('GET', `/services/${next.id}`)).body.name, next.name)
    }
  }
  await Promise.all(Array.from({ length: 10 }, write))
})
