import assert from 'node:assert/strict'
import { after, before, mock, test } from 'node:test'
import { startTestCluster, type TestCluster, until } from '../testing/index.ts'
import type { BatchWrite, Shard, Transaction } from './database.ts'
import { BATCH_QUEUE_MAX, BATCH_WAIT_MAX_MS } from './limits.ts'

let running: TestCluster
let shard: Shard
before(async () => {
  running = await startTestCluster({ shards: 1 })
  shard = running.cluster.home
  await shard.query('CREATE TABLE public.item (id int PRIMARY KEY CHECK (id >= 0))')
})
after(() => running.stop())

type Counted = BatchWrite<number, string> & { readonly batches: number[] }

function inserting(beforeInsert: (tx: Transaction, ids: readonly number[]) => Promise<void> = async () => {}): Counted {
  const batches: number[] = []
  return {
    name: 'insert items',
    batches,
    async run(tx, ids) {
      batches.push(ids.length)
      await beforeInsert(tx, ids)
      void tx.query('INSERT INTO public.item SELECT unnest($1::int[])', [ids])
      return ids.map((id) => `item ${id}`)
    },
  }
}

function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => from + index)
}

async function stored(ids: readonly number[]): Promise<{ rows: number; transactions: number }> {
  const [row] = await shard.query<{ rows: number; transactions: number }>(
    'SELECT count(*) AS rows, count(DISTINCT xmin::text) AS transactions FROM public.item WHERE id = ANY($1)',
    [ids],
  )
  return row ?? { rows: 0, transactions: 0 }
}

test('concurrent writes share commits: 1,000 inputs need fewer than 20 transactions, each input gets its own answer', async () => {
  const operation = inserting()
  const ids = range(0, 1_000)
  const answers = await Promise.all(ids.map((id) => shard.write(operation, id)))
  assert.deepEqual(
    answers,
    ids.map((id) => `item ${id}`),
  )
  const { rows, transactions } = await stored(ids)
  assert.equal(rows, 1_000)
  assert.equal(transactions, operation.batches.length)
  assert.ok(transactions < 20, `${transactions} transactions`)
  assert.ok(Math.max(...operation.batches) <= 256, `${operation.batches}`)
})

test('a lone write goes at once, alone', async () => {
  const operation = inserting()
  assert.equal(await shard.write(operation, 2_000), 'item 2000')
  assert.deepEqual(operation.batches, [1])
})

test('one bad input fails alone; the others of its batch commit, after few more transactions', async () => {
  const operation = inserting()
  const ids = [...range(3_000, 99), -1]
  const outcomes = await Promise.allSettled(ids.map((id) => shard.write(operation, id)))
  const failed = outcomes.filter((outcome) => outcome.status === 'rejected')
  assert.equal(failed.length, 1)
  assert.equal(outcomes.at(-1)?.status, 'rejected')
  assert.equal(failed[0]?.reason.details.sqlState, '23514')
  assert.equal((await stored(ids)).rows, 99)
  assert.ok(operation.batches.length <= 2 * Math.ceil(Math.log2(100)) + 1, `${operation.batches}`)
})

test('a statement that is wrong for every input is not tried in halves', async () => {
  let runs = 0
  const operation: BatchWrite<number, number> = {
    name: 'wrong',
    async run(tx, inputs) {
      runs += 1
      await tx.query('INSERT INTO public.missing VALUES (1)')
      return inputs
    },
  }
  const outcomes = await Promise.allSettled(range(0, 50).map((id) => shard.write(operation, id)))
  assert.ok(outcomes.every((outcome) => outcome.status === 'rejected'))
  assert.equal(runs, 1)
})

test('a batch whose connection breaks before COMMIT runs again whole', async () => {
  let killed = false
  const operation = inserting(async (tx) => {
    if (killed) return
    killed = true
    const [row] = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    await shard.query('SELECT pg_terminate_backend($1)', [row?.pid])
    const fails = () =>
      tx.query('SELECT 1').then(
        () => false,
        () => true,
      )
    await until(fails, { what: 'the connection breaks' })
  })
  const ids = range(4_000, 10)
  await Promise.all(ids.map((id) => shard.write(operation, id)))
  assert.deepEqual(operation.batches, [10, 10])
  assert.equal((await stored(ids)).rows, 10)
})

test('a batch is not repeated when the outcome of its COMMIT is unknown', async () => {
  await shard.query('CREATE TABLE public.fatal (id int)')
  await shard.query(`CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$`)
  await shard.query(`CREATE CONSTRAINT TRIGGER fatal AFTER INSERT ON public.fatal DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION public.die()`)
  let runs = 0
  const operation: BatchWrite<number, number> = {
    name: 'die in COMMIT',
    async run(tx, inputs) {
      runs += 1
      void tx.query('INSERT INTO public.fatal SELECT unnest($1::int[])', [inputs])
      return inputs
    },
  }
  const outcomes = await Promise.allSettled(range(0, 5).map((id) => shard.write(operation, id)))
  const codes = outcomes.map((outcome) =>
    outcome.status === 'rejected' ? (outcome.reason as { code: string }).code : '',
  )
  assert.deepEqual(codes, Array(5).fill('DATA_COMMIT_UNKNOWN'))
  assert.equal(runs, 1)
})

test('a batch that ran into the statement timeout is not tried in halves', async () => {
  let runs = 0
  const operation: BatchWrite<number, number> = {
    name: 'sleep',
    async run(tx, inputs) {
      runs += 1
      await tx.query('SET LOCAL statement_timeout = 50')
      await tx.query('SELECT pg_sleep(20)')
      return inputs
    },
  }
  const outcomes = await Promise.allSettled(range(0, 50).map((id) => shard.write(operation, id)))
  for (const outcome of outcomes) {
    assert.ok(outcome.status === 'rejected')
    assert.equal(outcome.reason.code, 'DATA_STATEMENT_TIMEOUT')
    assert.equal(outcome.reason.retryable, true)
  }
  assert.equal(runs, 1)
})

test('an input that waited too long is refused before it runs; a later one is not', async () => {
  const stalled = Promise.withResolvers<void>()
  const operation = inserting(() => stalled.promise)
  const now = performance.now.bind(performance)
  const first = shard.write(operation, 6_000)
  await until(() => operation.batches.length === 1)
  const late = assert.rejects(shard.write(operation, 6_001), { code: 'DATA_OVERLOADED', retryable: true })
  const clock = mock.method(performance, 'now', () => now() + BATCH_WAIT_MAX_MS + 1)
  const inTime = shard.write(operation, 6_002)
  stalled.resolve()
  assert.equal(await first, 'item 6000')
  await late
  assert.equal(await inTime, 'item 6002')
  clock.mock.restore()
  assert.deepEqual(operation.batches, [1, 1])
  assert.equal((await stored([6_000, 6_001, 6_002])).rows, 2)
})

test('a batch that breaks after its inputs grew late is not tried again', async () => {
  const now = performance.now.bind(performance)
  const clock = mock.method(performance, 'now', () => now())
  const operation = inserting(async (tx) => {
    clock.mock.mockImplementation(() => now() + BATCH_WAIT_MAX_MS + 1)
    await tx.query(`DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$`)
  })
  await assert.rejects(shard.write(operation, 6_003), { code: 'DATA_CONFLICT' })
  clock.mock.restore()
  assert.deepEqual(operation.batches, [1])
})

test('a wrong number of outputs is refused and rolled back', async () => {
  const operation: BatchWrite<number, number> = {
    name: 'miscount',
    async run(tx, inputs) {
      void tx.query('INSERT INTO public.item SELECT unnest($1::int[])', [inputs])
      return []
    },
  }
  await assert.rejects(shard.write(operation, 5_000), /answered 0 outputs for 1 inputs/)
  assert.equal((await stored([5_000])).rows, 0)
})

test('beyond its bound the queue refuses, retryably, and loses none of those it accepted', async () => {
  const operation = inserting()
  const ids = range(100_000, BATCH_QUEUE_MAX + 10)
  const outcomes = await Promise.allSettled(ids.map((id) => shard.write(operation, id)))
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
  assert.equal(refused.length, 10)
  assert.ok(refused.every(({ reason }) => reason.code === 'DATA_OVERLOADED' && reason.retryable))
  assert.equal((await stored(ids)).rows, BATCH_QUEUE_MAX)
})
