import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { createClient } from 'redis'
import {
  type RedisServer,
  redisMissing,
  startRedisServer,
  startTestCluster,
  type TestCluster,
  until,
} from '../../testing/index.ts'
import { serviceMigrations } from '../idempotency.ts'
import { type Node, startNode } from './node-fixture.ts'

/** Processes that share a PostgreSQL, with and without a Redis: real ones, all of them. */

const skip = redisMissing()

let database: TestCluster
let redis: RedisServer | undefined
const nodes: Node[] = []

before(async () => {
  database = await startTestCluster({ shards: 1, migrations: [serviceMigrations] })
  await database.cluster.home.query('CREATE TABLE price (sku text PRIMARY KEY, cents int NOT NULL)')
})

after(() => database?.stop())

beforeEach(async () => {
  await database.cluster.home.query(`
    INSERT INTO price VALUES ('kite', 100) ON CONFLICT (sku) DO UPDATE SET cents = 100`)
})

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop()))
  await redis?.stop()
  redis = undefined
})

async function twoNodes(redisUrl?: string): Promise<readonly [Node, Node]> {
  const started = await Promise.all([startNode(database.urls, redisUrl), startNode(database.urls, redisUrl)])
  nodes.push(...started)
  return started as [Node, Node]
}

async function withRedis(): Promise<readonly [Node, Node, RedisServer]> {
  redis = await startRedisServer()
  const [a, b] = await twoNodes(redis.url)
  return [a, b, redis]
}

/** Until it has heard of a change, the other process may serve the old price, for no longer than the bound. */
function learns(node: Node, cents: number): Promise<boolean> {
  return until(async () => (await node.read()) === cents, { what: `the other process serves ${cents}` })
}

async function lateFill(a: Node, b: Node): Promise<void> {
  const held = await b.holdLoad()
  const xid = await a.save(200)
  assert.equal(await a.read(), 200, 'whoever changed it, at once')
  assert.equal(await b.read([0, xid]), 200, 'whoever changed it, through another process')
  // The other process learns of it while its own load still holds the old price.
  await until(async () => (await b.peek()) !== 100)
  await learns(b, 200)
  assert.equal(await held.release(), 100, 'asked before the change')
  for (const node of [a, b]) {
    assert.notEqual(await node.peek(), 100, 'the late fill is not served')
    assert.equal(await node.read(), 200)
  }
}

test('two processes without Redis: a late fill never brings an old price back', async () => {
  const [a, b] = await twoNodes()
  await lateFill(a, b)
})

test('two processes with Redis: a late fill never brings an old price back', { skip }, async () => {
  const [a, b] = await withRedis()
  await lateFill(a, b)
})

test('two processes with Redis: one loads, the other is served from Redis', { skip }, async () => {
  const [a, b, { url }] = await withRedis()
  await fillRedis(a, url)
  await until(async () => (await b.peek()) === 100, { what: 'the other process is served without a load' })
})

test('Redis killed, a price changed meanwhile, Redis back with its old data: the old price is never served', {
  skip,
}, async () => {
  const [a, b, server] = await withRedis()
  await fillRedis(a, server.url)
  await save(server.url)
  await server.kill()

  const xid = await a.save(200)
  assert.equal(await a.read(), 200)
  assert.equal(await b.read([0, xid]), 200)
  await learns(b, 200)
  await server.restart()
  assert.equal((await keysOf(server.url)).length, 1, 'the old entry came back')
  // A process with nothing in memory, and the two that were there all along.
  const fresh = await startNode(database.urls, server.url)
  nodes.push(fresh)
  for (const node of [fresh, a, b]) {
    assert.notEqual(await node.peek(), 100)
    assert.equal(await node.read(), 200)
  }
})

test('Redis gone: writes and reads go on', { skip }, async () => {
  const [a, b, server] = await withRedis()
  assert.equal(await b.read(), 100)
  await server.kill()
  await a.save(300)
  assert.equal(await a.read(), 300)
  await learns(b, 300)
})

test('a process killed between its commit and its fences: the others learn of it all the same', async () => {
  const [a, b] = await twoNodes()
  assert.equal(await b.read(), 100)
  await a.saveAndDie(200)
  await learns(b, 200)
})

/** Until the entry is in Redis: a fill that takes longer than its time limit on a busy machine is given up. */
async function fillRedis(node: Node, url: string): Promise<void> {
  await until(async () => {
    await node.save(100)
    assert.equal(await node.read(), 100)
    return (await keysOf(url)).length === 1
  })
}

async function withClient<T>(url: string, work: (client: ReturnType<typeof connect>) => Promise<T>): Promise<T> {
  const client = connect(url)
  await client.connect()
  try {
    return await work(client)
  } finally {
    client.destroy()
  }
}

function connect(url: string) {
  return createClient({ url, maintNotifications: 'disabled' })
}

function keysOf(url: string): Promise<readonly string[]> {
  return withClient(url, (client) => client.keys('*'))
}

async function save(url: string): Promise<void> {
  await withClient(url, (client) => client.sendCommand(['SAVE']))
}
