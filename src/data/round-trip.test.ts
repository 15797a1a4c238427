import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startCutOff, startTestCluster, type TestCluster } from '../testing/index.ts'
import { type Connections, openConnections } from './connection.ts'
import { runStatement, runTransaction } from './transaction.ts'

/** Statements of a turn of the event loop as one round trip, over a real server, on a single connection. */

const place = { shard: 0, label: 'counted' }

let running: TestCluster
let counted: Awaited<ReturnType<typeof startCounter>>
let connections: Connections
before(async () => {
  running = await startTestCluster({ shards: 1 })
  await running.cluster.home.query('CREATE TABLE public.item (id int PRIMARY KEY, body text)')
  counted = await startCounter(running.urls[0] ?? '')
  connections = openConnections({ url: counted.url, max: 1, applicationName: 'counted', place })
})
after(async () => {
  await connections.close({ deadlineAtMs: Date.now() + 5_000 })
  await counted.stop()
  await running.stop()
})

/** A way to the database that counts the messages of the client by their type. */
async function startCounter(to: string) {
  const url = new URL(to)
  const seen = new Map<string, number>()
  const proxy = await startCutOff(Number(url.port), { onClientData: counterOf(seen) })
  // Through the proxy, not through the server's socket.
  url.searchParams.delete('host')
  url.hostname = '127.0.0.1'
  url.port = String(proxy.port)
  return {
    url: url.href,
    /** Messages of these types since the last call. */
    take(...types: readonly string[]) {
      const counts = types.map((type) => `${type}${seen.get(type) ?? 0}`).join(' ')
      seen.clear()
      return counts
    },
    stop: proxy.stop,
  }
}

/** Source: PostgreSQL 18, "Message Formats": a byte of type, then the length, which counts itself. */
function counterOf(seen: Map<string, number>): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  let isStarted = false
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    for (;;) {
      const offset = isStarted ? 1 : 0
      if (rest.length < offset + 4) return
      const end = offset + rest.readInt32BE(offset)
      if (rest.length < end) return
      const type = isStarted ? String.fromCharCode(rest[0] as number) : 'startup'
      seen.set(type, (seen.get(type) ?? 0) + 1)
      isStarted = true
      rest = rest.subarray(end)
    }
  }
}

async function query(text: string, values?: readonly unknown[]) {
  const client = await connections.acquire()
  try {
    return await runStatement(client, place, { text, values })
  } finally {
    client.release()
  }
}

test('what is not awaited shares a round trip, and is prepared and described once', async () => {
  const write = () =>
    runTransaction(connections, place, async (tx) => {
      void tx.query('INSERT INTO public.item VALUES ($1, $2)', [1, 'one'])
      void tx.query('UPDATE public.item SET body = $2 WHERE id = $1 RETURNING id', [1, 'two'])
      return tx.query('DELETE FROM public.item WHERE id = $1 RETURNING id, body', [1])
    })
  await query('SELECT 1')
  counted.take()
  assert.deepEqual(await write(), [{ id: 1, body: 'two' }])
  // DELETE was awaited, so COMMIT is a round trip of its own.
  assert.equal(counted.take('S', 'P', 'D', 'B', 'E', 'Q'), 'S2 P5 D5 B5 E5 Q0')
  assert.deepEqual(await write(), [{ id: 1, body: 'two' }])
  assert.equal(counted.take('S', 'P', 'D', 'B', 'E', 'Q'), 'S2 P0 D0 B5 E5 Q0')
})

test('what a failed statement kept from being prepared is prepared when it comes again', async () => {
  const first = 'SELECT 1 AS first'
  const failing = 'SELECT 1 / $1::int AS failing'
  const never = 'SELECT 3 AS never'
  const [good, bad, after] = await withClient((client) =>
    Promise.allSettled(
      [{ text: first }, { text: failing, values: [0] }, { text: never }].map(({ text, values }) =>
        runStatement(client, place, { text, values }),
      ),
    ),
  )
  assert.deepEqual(good, { status: 'fulfilled', value: [{ first: 1 }] })
  assert.match(String((bad as PromiseRejectedResult).reason), /division by zero/)
  assert.equal((after as PromiseRejectedResult).reason, (bad as PromiseRejectedResult).reason)
  counted.take()
  assert.deepEqual(await query(failing, [1]), [{ failing: 1 }])
  assert.deepEqual(await query(never), [{ never: 3 }])
  assert.deepEqual(await query(first), [{ first: 1 }])
  assert.equal(counted.take('C', 'P'), 'C2 P2')
  await assert.rejects(query('SELEKT'), /syntax error/)
  await assert.rejects(query('SELEKT'), /syntax error/)
})

test('the rollback of a statement that fails unawaited reaches the server, and the connection is used again', async () => {
  const gone = runTransaction(connections, place, async (tx) => {
    void tx.query('INSERT INTO public.item VALUES ($1, $2)', [5, 'five'])
    void tx.query('SELECT 1 / $1::int AS failing', [0])
    throw new Error('thought better of it')
  })
  await assert.rejects(gone, { code: 'DATA_STATEMENT_FAILED', message: /division by zero/ })
  assert.deepEqual(await query('SELECT id FROM public.item WHERE id = 5'), [])
  assert.equal(counted.take('startup'), 'startup0')
})

test('a value that cannot be sent fails its own statement, and a row that cannot be read fails its own', async () => {
  const circular: { self?: unknown } = {}
  circular.self = circular
  const outcomes = await withClient((client) =>
    Promise.allSettled(
      [
        { text: 'SELECT $1::json AS value', values: [circular] },
        { text: 'SELECT 9007199254740993::int8', values: undefined },
        { text: 'SELECT $1::text AS value', values: ['kept'] },
      ].map((statement) => runStatement(client, place, statement)),
    ),
  )
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.name)),
    ['TypeError', 'RangeError', [{ value: 'kept' }]],
  )
})

test('rows of a cursor have the columns of that cursor, whatever the same text fetched before', async () => {
  const fetchFrom = (select: string) =>
    runTransaction(connections, place, async (tx) => {
      void tx.query(`DECLARE found CURSOR FOR ${select}`)
      return tx.query('FETCH 1 FROM found')
    })
  assert.deepEqual(await fetchFrom('SELECT 1 AS one'), [{ one: 1 }])
  assert.deepEqual(await fetchFrom(`SELECT 'a' AS first, true AS second`), [{ first: 'a', second: true }])
})

test('a table that changed under a prepared statement is a conflict, not rows of the wrong columns', async () => {
  await query('CREATE TABLE public.changing (id int)')
  await query('INSERT INTO public.changing VALUES (1)')
  assert.deepEqual(await query('SELECT * FROM public.changing'), [{ id: 1 }])
  await query('ALTER TABLE public.changing RENAME COLUMN id TO number')
  await assert.rejects(query('SELECT * FROM public.changing'), /cached plan must not change result type/)
})

test('what cannot be written ends its connection, of which the server has heard nothing, and no other', async () => {
  const unwritable = Object.create(Buffer.prototype)
  const outcome = runTransaction(connections, place, async (tx) => {
    void tx.query('INSERT INTO public.item VALUES ($1, $2)', [7, 'seven'])
    await tx.query('SELECT $1::bytea', [unwritable])
  })
  await assert.rejects(outcome, TypeError)
  assert.deepEqual(await query('SELECT id FROM public.item WHERE id = 7'), [])
})

test('an empty text answers nothing, and many statements come back each to its own', async () => {
  assert.deepEqual(await query(''), [])
  const numbers = Array.from({ length: 500 }, (_, index) => index)
  const rows = await withClient((client) =>
    Promise.all(numbers.map((id) => runStatement(client, place, { text: 'SELECT $1::int AS id', values: [id] }))),
  )
  assert.deepEqual(
    rows.map(([row]) => row?.id),
    numbers,
  )
})

async function withClient<T>(run: (client: Awaited<ReturnType<Connections['acquire']>>) => Promise<T>): Promise<T> {
  const client = await connections.acquire()
  try {
    return await run(client)
  } finally {
    client.release()
  }
}
