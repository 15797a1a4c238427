import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestCluster, type TestCluster, until } from '../testing/index.ts'
import { hookFailureFacts, transactionFacts } from './channels.ts'
import type { Shard, Transaction } from './database.ts'

let running: TestCluster
let shard: Shard
before(async () => {
  running = await startTestCluster({ shards: 1 })
  shard = running.cluster.home
  await shard.query('CREATE TABLE public.note (id int PRIMARY KEY, body text)')
  await shard.query('CREATE TABLE public.slow (id int PRIMARY KEY)')
  await shard.query(`CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(30); RETURN NULL; END $$`)
  await shard.query(`CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON public.slow DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION public.dawdle()`)
})
after(() => running.stop())

const insert = (tx: Transaction, id: number) => tx.query('INSERT INTO public.note VALUES ($1)', [id])

async function exists(id: number): Promise<boolean> {
  return (await shard.query('SELECT FROM public.note WHERE id = $1', [id])).length > 0
}

async function pidOf(tx: Transaction): Promise<number> {
  const [row] = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  return row?.pid ?? 0
}

test('a transaction commits its queries, hooks before COMMIT in their order, hooks after it last', async () => {
  const order: string[] = []
  const result = await shard.transaction(async (tx) => {
    tx.beforeCommit(() => {
      order.push('first')
      void insert(tx, 2)
      tx.beforeCommit(() => void order.push('registered by a hook'))
    })
    tx.beforeCommit(async () => {
      await insert(tx, 3)
      order.push('second')
    })
    tx.afterCommit(() => void order.push('after'))
    await insert(tx, 1)
    const key = Symbol('state')
    assert.equal(
      tx.attach(key, () => [1]),
      tx.attach(key, () => [2]),
    )
    return 'done'
  })
  assert.equal(result, 'done')
  assert.deepEqual(order, ['first', 'second', 'registered by a hook', 'after'])
  assert.deepEqual([await exists(1), await exists(2), await exists(3)], [true, true, true])
})

test('what a transaction wrote is gone when its function throws, and the connection is used again', async () => {
  const before = running.cluster.stats()[0]?.total
  await assert.rejects(
    shard.transaction(async (tx) => {
      await insert(tx, 10)
      throw new Error('thought better of it')
    }),
    { message: 'thought better of it' },
  )
  assert.equal(await exists(10), false)
  assert.equal(running.cluster.stats()[0]?.total, before)
})

test('a COMMIT that the server answers with ROLLBACK rejects with the failure that nobody awaited', async () => {
  const unawaited = shard.transaction(async (tx) => {
    void insert(tx, 20)
    void insert(tx, 20)
    void insert(tx, 21)
  })
  await assert.rejects(unawaited, { code: 'DATA_STATEMENT_FAILED', message: /duplicate key/ })
  assert.deepEqual([await exists(20), await exists(21)], [false, false])
})

test('a query whose error is swallowed still rejects the transaction', async () => {
  const swallowed = shard.transaction(async (tx) => {
    await insert(tx, 20)
    await insert(tx, 20).catch(() => undefined)
  })
  await assert.rejects(swallowed, { code: 'DATA_STATEMENT_FAILED', message: /duplicate key/ })
  assert.equal(await exists(20), false)
})

test('a unique violation says its SQLSTATE and constraint', async () => {
  const twice = shard.transaction(async (tx) => {
    await insert(tx, 30)
    await insert(tx, 30)
  })
  await assert.rejects(twice, (error: { details: Record<string, unknown> }) => {
    assert.equal(error.details.sqlState, '23505')
    assert.equal(error.details.constraint, 'note_pkey')
    return true
  })
})

test('a constraint that fails at COMMIT is an ordinary error, not an unknown outcome', async () => {
  await shard.query('CREATE TABLE public.child (note_id int REFERENCES public.note DEFERRABLE INITIALLY DEFERRED)')
  const orphan = shard.transaction((tx) => tx.query('INSERT INTO public.child VALUES (999)'))
  await assert.rejects(orphan, { code: 'DATA_STATEMENT_FAILED' })
})

test('a connection that breaks before COMMIT loses nothing silently: the error is retryable', async () => {
  const broken = shard.transaction(async (tx) => {
    await insert(tx, 50)
    await shard.query('SELECT pg_terminate_backend($1)', [await pidOf(tx)])
    await until(
      () =>
        insert(tx, 51).then(
          () => false,
          () => true,
        ),
      { what: 'the backend ends' },
    )
  })
  await assert.rejects(broken, { code: 'DATA_CONNECTION_LOST', retryable: true })
  assert.equal(await exists(50), false)
})

test('a connection that breaks during COMMIT leaves the outcome unknown, and says so', async () => {
  let pid = 0
  const outcome = shard.transaction(async (tx) => {
    pid = await pidOf(tx)
    await tx.query('INSERT INTO public.slow VALUES (1)')
  })
  const rejected = assert.rejects(outcome, { code: 'DATA_COMMIT_UNKNOWN', retryable: false })
  await until(
    async () =>
      (
        await shard.query(`SELECT FROM pg_stat_activity WHERE pid = $1 AND query = 'COMMIT' AND state = 'active'`, [
          pid,
        ])
      ).length > 0,
    { what: 'COMMIT is under way' },
  )
  await shard.query('SELECT pg_terminate_backend($1)', [pid])
  await rejected
})

test('a write without a transaction whose connection breaks may have happened, a read has not', async () => {
  const severed = async (text: string, code: string) => {
    const outcome = assert.rejects(shard.query(text), { code })
    await until(
      async () =>
        (await shard.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = $1`, [text])).length >
        0,
      { what: 'the statement is under way' },
    )
    await outcome
  }
  await severed('INSERT INTO public.note SELECT 80 FROM pg_sleep(20)', 'DATA_COMMIT_UNKNOWN')
  await severed('WITH gone AS (DELETE FROM public.note RETURNING 1) SELECT pg_sleep(20)', 'DATA_COMMIT_UNKNOWN')
  await severed('SELECT pg_sleep(20)', 'DATA_CONNECTION_LOST')
  await severed('SELECT 1, pg_sleep(20) FROM (VALUES (1)) AS one (id) FOR UPDATE', 'DATA_CONNECTION_LOST')
})

test('a hook that throws after the commit is published, and the transaction and the other hooks stand', async () => {
  const failures: unknown[] = []
  const stop = hookFailureFacts.subscribe(({ error }) => failures.push(error))
  const failure = new Error('too late')
  const called: number[] = []
  const result = await shard.transaction(async (tx) => {
    tx.afterCommit(() => {
      throw failure
    })
    tx.afterCommit(() => void called.push(1))
    await insert(tx, 90)
    return 'done'
  })
  stop()
  assert.deepEqual([result, called, failures, await exists(90)], ['done', [1], [failure], true])
})

test('a deadlock is a retryable conflict for one of the two', async () => {
  await shard.query('INSERT INTO public.note VALUES (60), (61)')
  const lock = (tx: Transaction, id: number) => tx.query('SELECT FROM public.note WHERE id = $1 FOR UPDATE', [id])
  let ready = 0
  const cross = (first: number, second: number) =>
    shard.transaction(async (tx) => {
      await lock(tx, first)
      ready += 1
      await until(() => ready === 2)
      await lock(tx, second)
    })
  const outcomes = await Promise.allSettled([cross(60, 61), cross(61, 60)])
  const failed = outcomes.filter((outcome) => outcome.status === 'rejected')
  assert.equal(failed.length, 1)
  assert.equal(failed[0]?.reason.code, 'DATA_CONFLICT')
})

test('a server that runs out of something refuses for now, and blames no statement', async () => {
  const raise = (sqlState: string) =>
    shard.query(`DO $$ BEGIN RAISE 'no more of it' USING ERRCODE = '${sqlState}'; END $$`)
  for (const sqlState of ['53000', '53100', '53200']) {
    const message = new RegExp(`no more of it \\(SQLSTATE ${sqlState}\\)`)
    await assert.rejects(raise(sqlState), { code: 'DATA_RESOURCES_EXHAUSTED', status: 503, retryable: true, message })
  }
  const sorted = shard.transaction(async (tx) => {
    await tx.query('SET LOCAL work_mem = 64')
    await tx.query('SET LOCAL temp_file_limit = 64')
    await tx.query(
      'SELECT count(*) FROM (SELECT value FROM generate_series(1, 100000) AS value ORDER BY -value) AS sorted',
    )
  })
  await assert.rejects(sorted, { code: 'DATA_RESOURCES_EXHAUSTED', message: /temp_file_limit.*53400/ })
})

test('a text that PostgreSQL cannot keep is the mistake of who sent it', async () => {
  // Without the shard and its host: a client is told of it.
  const refused = { code: 'DATA_TEXT_INVALID', status: 422, message: /^PostgreSQL cannot keep a character of [a-z ]+$/ }
  await assert.rejects(shard.query('SELECT $1::text', ['a\0b']), refused)
  await assert.rejects(shard.query('SELECT $1::text[]', [['a\0b']]), { code: 'DATA_TEXT_INVALID' })
  const half = 'a\ud83d'
  for (const [cast, value] of [
    ['text', half],
    ['text[]', [half]],
    ['varchar[]', ['b', half]],
  ] as const) {
    const sent = shard.query(`SELECT $1::${cast}`, [value])
    await assert.rejects(sent, { code: 'DATA_TEXT_INVALID', status: 422, message: /surrogate pair.*"a\ufffd"/ })
  }
  const rows = await shard.query('SELECT $1::text AS one, $2::text[] AS many', ['a\ud83d\ude00', ['\ud83d\ude00']])
  assert.deepEqual(rows, [{ one: 'a😀', many: ['😀'] }])
})

test('an error of the function itself passes unchanged, whatever it looks like', async () => {
  const failure = Object.assign(new Error('connect ECONNREFUSED'), { syscall: 'connect', code: 'ECONNREFUSED' })
  await assert.rejects(
    shard.transaction(async () => {
      throw failure
    }),
    failure,
  )
})

test('a query after the end of its transaction rejects instead of running outside of it', async () => {
  let escaped: Transaction | undefined
  await shard.transaction(async (tx) => {
    escaped = tx
  })
  assert.ok(escaped !== undefined)
  await assert.rejects(insert(escaped, 70), /after the end of its transaction/)
})

test('a transaction that has ended takes no state and no hooks: they would be lost in silence', async () => {
  const [key, kept] = [Symbol('state'), 'kept while it commits']
  let escaped: Transaction | undefined
  let hooked: string | undefined
  await shard.transaction(async (tx) => {
    escaped = tx
    tx.attach(key, () => kept)
    tx.beforeCommit(async () => {
      await tx.query('SELECT 1')
      hooked = tx.attach(key, () => 'made anew')
      tx.afterCommit(() => assert.throws(() => tx.attach(key, () => kept), /after the end of its transaction/))
    })
  })
  assert.equal(hooked, kept)
  const ended = escaped
  assert.ok(ended !== undefined)
  const message = (act: string, what = '') => {
    return { message: `${act} after the end of its transaction, was it awaited?${what}` }
  }
  assert.throws(() => ended.attach(key, () => kept), message('attach', ' state'))
  assert.throws(() => ended.beforeCommit(() => undefined), message('beforeCommit'))
  assert.throws(() => ended.afterCommit(() => undefined), message('afterCommit'))
})

test('no hook slips in between the last one before COMMIT and COMMIT itself', async () => {
  let late: Promise<unknown> | undefined
  const [taken, ran]: [number[], number[]] = [[], []]
  await shard.transaction(async (tx) => {
    const last = Promise.resolve()
    tx.beforeCommit(() => last)
    const register = async () => {
      // As many turns behind the last hook as it takes to find the transaction ended.
      for (let turn = 0; turn < 10; turn++) {
        tx.beforeCommit(() => void ran.push(turn))
        taken.push(turn)
        await undefined
      }
    }
    late = last.then(register).catch((error: unknown) => error)
  })
  assert.match(String(await late), /beforeCommit after the end of its transaction/)
  assert.deepEqual(ran, taken)
})

test('values arrive as the types that the documentation names', async () => {
  const [row] = await shard.query(
    `SELECT 9007199254740991::int8 AS big, 12.50::numeric AS amount, '2026-02-03'::date AS day,
            '{"a":1}'::jsonb AS json, ARRAY[1, NULL, 3]::int8[] AS bigs, '2026-02-03T04:05:06Z'::timestamptz AS at`,
  )
  assert.deepEqual(row, {
    big: 9_007_199_254_740_991,
    amount: '12.50',
    day: '2026-02-03',
    json: { a: 1 },
    bigs: [1, null, 3],
    at: new Date('2026-02-03T04:05:06Z'),
  })
  await assert.rejects(shard.query('SELECT 9007199254740993::int8'), RangeError)
  assert.deepEqual(await shard.query('SELECT 1 AS one'), [{ one: 1 }])
})

test('transactions are published as facts', async () => {
  const facts: string[] = []
  const stop = transactionFacts.subscribe((fact) => facts.push(`${fact.outcome} ${fact.statements}`))
  await shard.transaction((tx) => tx.query('SELECT 1'))
  await shard.transaction((tx) => tx.query('SELECT 1/0')).catch(() => undefined)
  stop()
  assert.deepEqual(facts, ['committed 1', 'failed 1'])
})
