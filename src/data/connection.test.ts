import assert from 'node:assert/strict'
import { connect, createServer, type Socket } from 'node:net'
import { after, before, mock, test } from 'node:test'
import { startTestCluster, type TestCluster } from '../testing/index.ts'
import { openConnections } from './connection.ts'
import { CONNECTION_END_MS, CONNECTION_IDLE_MS, CONNECTIONS_KEPT, QUERY_MARGIN_MS } from './limits.ts'
import { listenOn } from './listen.ts'
import { runTransaction } from './transaction.ts'

const place = { shard: 0, label: 'behind a proxy' }
const soon = () => ({ deadlineAtMs: Date.now() + 5_000 })

let running: TestCluster
before(async () => {
  running = await startTestCluster({ shards: 1 })
})
after(() => running.stop())

/** A way to the database on which packets can get lost, both ways, without either side being told. */
async function startProxy(): Promise<{ url: string; loseAll(): void; stop(): void }> {
  const target = new URL(running.urls[0] ?? '')
  const sockets = new Set<Socket>()
  const server = createServer((downstream) => {
    const upstream = connect(Number(target.port), target.hostname)
    for (const [from, to] of [
      [downstream, upstream],
      [upstream, downstream],
    ] as const) {
      sockets.add(from)
      from.on('error', () => to.destroy())
      from.pipe(to)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(target)
  // Through the proxy, not through the server's socket.
  url.searchParams.delete('host')
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as { port: number }).port)
  return {
    url: url.href,
    loseAll: () => sockets.forEach((socket) => void socket.unpipe().pause()),
    stop() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

test('a query whose packets get lost ends soon, in an error that says what is known of the write', async () => {
  const proxy = await startProxy()
  const statementTimeoutMs = 100
  const connections = openConnections({
    url: proxy.url,
    max: 2,
    applicationName: 'proxied',
    place,
    statementTimeoutMs,
  })
  const startedAt = performance.now()
  const early = runTransaction(connections, place, async (tx) => {
    await tx.query('SELECT 1')
    proxy.loseAll()
    await tx.query('SELECT 2')
  })
  await assert.rejects(early, { code: 'DATA_CONNECTION_LOST', retryable: true })
  assert.ok(performance.now() - startedAt < statementTimeoutMs + QUERY_MARGIN_MS + 2_000)
  const late = runTransaction(connections, place, async (tx) => {
    await tx.query('SELECT 1')
    proxy.loseAll()
  })
  await assert.rejects(late, { code: 'DATA_COMMIT_UNKNOWN' })
  assert.equal(connections.stats().total, 0)
  await connections.close(soon())
  proxy.stop()
})

test('listening stops although the database does not say goodbye', async () => {
  const proxy = await startProxy()
  const stop = await listenOn({ url: proxy.url, place, channel: 'news', onNotify() {}, applicationName: 'proxied' })
  proxy.loseAll()
  const startedAt = performance.now()
  await stop()
  assert.ok(performance.now() - startedAt < CONNECTION_END_MS + 2_000)
  proxy.stop()
})

test('a database that takes no connection is unreachable, and says why', async () => {
  const { home } = running.cluster
  await home.query('CREATE DATABASE shut ALLOW_CONNECTIONS false')
  await home.query("CREATE ROLE visitor LOGIN PASSWORD 'welcome' CONNECTION LIMIT 0")
  const own = new URL(running.urls[0] ?? '').pathname
  const refusals = [
    { pathname: '/shut', code: 'DATA_UNREACHABLE', reason: /takes no connection: .*not currently accepting.*55000/ },
    { pathname: '/nowhere', code: 'DATA_UNREACHABLE', reason: /takes no connection: .*does not exist.*3D000/ },
    // The server is there and willing, and other connections to it will end.
    { pathname: own, username: 'visitor', code: 'DATA_POOL_EXHAUSTED', reason: /too many connections.*53300/ },
  ]
  for (const { pathname, username, code, reason } of refusals) {
    const url = new URL(running.urls[0] ?? '')
    url.pathname = pathname
    if (username !== undefined) Object.assign(url, { username, password: 'welcome' })
    const connections = openConnections({ url: url.href, max: 1, applicationName: 'refused', place })
    await assert.rejects(connections.acquire(), { code, message: reason, retryable: true })
    await connections.close(soon())
  }
})

test('after a burst the pool shrinks, but not to nothing, and closing ends all of it', async () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    const url = running.urls[0] ?? ''
    const connections = openConnections({ url, max: 5, applicationName: 'bursting', place })
    const clients = await Promise.all(Array.from({ length: 5 }, () => connections.acquire()))
    for (const client of clients) client.release()
    assert.equal(connections.stats().idle, 5)
    mock.timers.tick(CONNECTION_IDLE_MS)
    assert.deepEqual(connections.stats(), { total: CONNECTIONS_KEPT, idle: CONNECTIONS_KEPT, max: 5, waiting: 0 })
    await connections.close(soon())
    assert.equal(connections.stats().total, 0)
  } finally {
    mock.timers.reset()
  }
})
