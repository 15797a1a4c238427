import assert from 'node:assert/strict'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { event, newContext, newId } from '../core/index.ts'
import { type Shard, systemMigrations } from '../data/index.ts'
import { startTestCluster, type TestCluster, until } from '../testing/index.ts'
import { eventsMissed, periodsChanged } from './channels.ts'
import { holdLeases } from './engines/postgres-leases.ts'
import { drainOutbox, insertOutbox, readLog } from './engines/postgres-log.ts'
import { dropPeriod } from './engines/postgres-periods.ts'
import { emit, eventsMigrations, keepLog, lag, onBatch, prepareLog, startEvents } from './index.ts'
import { PERIOD_DROP_LOCK_MS } from './limits.ts'
import { keepLogIntervalMs, retentionOf } from './retention.ts'

const Tick = event('test.tick', 1, z.object({ writer: z.int(), serial: z.int(), text: z.string() }), {
  key: (tick) => tick.writer,
})

describe('retention', () => {
  let started: TestCluster
  let home: Shard

  before(async () => {
    started = await startTestCluster({ shards: 1, migrations: [systemMigrations, eventsMigrations] })
    home = started.cluster.home
  })
  after(() => started?.stop())

  /** Begins with an empty log whose only period ends now; those to come are as long as the test wants them. */
  const startAnew = async () => {
    await home.query('TRUNCATE groundswell.outbox, groundswell.log_segment, groundswell.segment, groundswell.log_head')
    await home.query('TRUNCATE groundswell.consumer_position, groundswell.parked_event, groundswell.lease')
    const all = await home.query<{ id: number }>('SELECT id FROM groundswell.log_period')
    await home.transaction(async (tx) => {
      for (const { id } of all) await tx.query('SELECT groundswell.drop_log_period($1)', [id])
      await tx.query('SELECT groundswell.add_log_period(clock_timestamp())')
    })
  }
  const ids = async () =>
    (await home.query<{ id: number }>('SELECT id FROM groundswell.log_period ORDER BY id')).map(({ id }) => id)
  const over = (period: number) =>
    until(async () => {
      const ended = 'SELECT FROM groundswell.log_period WHERE id = $1 AND ends_at < clock_timestamp()'
      return (await home.query(ended, [period])).length === 1
    })
  const write = (writer: number, serial: number, text = '') =>
    home.transaction(async (tx) => emit(tx, Tick, { writer, serial, text }, newContext()))
  const drain = (owner: string, epoch: number) =>
    drainOutbox(home, { owner, epoch, floor: 0, segmentsMax: 100, leaseMs: 60_000, notify: false, written: new Map() })

  test('periods suit the retention: about seven of them, none shorter than a minute, ten minutes ahead', () => {
    assert.deepEqual(retentionOf(60_000), { retentionMs: 60_000, periodMs: 60_000, aheadMs: 600_000 })
    const day = 86_400_000
    assert.deepEqual(retentionOf(7 * day), { retentionMs: 7 * day, periodMs: day, aheadMs: 2 * day })
    assert.equal(keepLogIntervalMs(retentionOf(7 * day)), day / 2)
  })

  test('periods are made ahead, by any number of processes at once, and cover a time when nobody made any', async () => {
    await startAnew()
    const retention = { retentionMs: 60_000, periodMs: 1_000, aheadMs: 3_000 }
    await Promise.all(Array.from({ length: 4 }, () => prepareLog(started.cluster, retention)))
    const periods = await home.query<{ startsAt: Date; endsAt: Date; ahead: boolean }>(
      `SELECT starts_at::text AS "startsAt", ends_at::text AS "endsAt", ends_at > now() + interval '1.5 s' AS ahead
       FROM groundswell.log_period ORDER BY id`,
    )
    for (const [index, period] of periods.slice(1).entries()) assert.equal(period.startsAt, periods[index]?.endsAt)
    assert.ok(periods.at(-1)?.ahead)
    assert.ok(periods.length <= 6, `${periods.length} periods`)
    await write(1, 1)
  })

  test('periods that were made for a longer retention end earlier where nothing was written; writers go on', async () => {
    const hour = 3_600_000
    const long = { retentionMs: 7 * hour, periodMs: hour, aheadMs: 2 * hour }
    const short = { retentionMs: 60_000, periodMs: 60_000, aheadMs: 90_000 }
    /** In minutes; what lies between the beginning of time and the test is none. */
    const lengths = async () => {
      const read = `SELECT round(extract(epoch FROM ends_at - starts_at) / 60)::int AS minutes
        FROM groundswell.log_period WHERE isfinite(starts_at) ORDER BY id`
      return (await home.query<{ minutes: number }>(read)).map(({ minutes }) => minutes)
    }
    await startAnew()
    await prepareLog(started.cluster, long)
    assert.deepEqual(await lengths(), [60, 60, 60])
    await prepareLog(started.cluster, short)
    assert.deepEqual(await lengths(), [1, 1])
    await prepareLog(started.cluster, long)
    assert.deepEqual((await lengths()).slice(2), [60, 60], 'none is made longer')

    await startAnew()
    await prepareLog(started.cluster, long)
    await write(1, 1)
    const writing = Array.from({ length: 20 }, (_, serial) => write(1, serial + 2))
    await Promise.all([...writing, prepareLog(started.cluster, short)])
    assert.deepEqual(await lengths(), [60], 'only what is to come ends earlier')
    await write(1, 22)
  })

  test('an event whose text was written before the end of a period is read after it, and keeps the period', async () => {
    await startAnew()
    await prepareLog(started.cluster, { retentionMs: 0, periodMs: 400, aheadMs: 400 })
    const [, period = 0] = await ids()
    await write(1, 1, 'across the boundary')
    await prepareLog(started.cluster, { retentionMs: 0, periodMs: 60_000, aheadMs: 60_000 })
    await over(period)
    assert.equal(await dropPeriod(home, period, PERIOD_DROP_LOCK_MS), false, 'its event waits in the outbox')
    const [lease] = await holdLeases(home, 'test', { names: ['sequencer'], leaseMs: 60_000 })
    const [drained] = await drain('test', lease?.epoch ?? 0)
    assert.match(drained?.records ?? '', /across the boundary/)
    const [logged] = await readLog(home, new Map([[Tick.name, 0]]), 10)
    assert.match(logged?.records ?? '', /across the boundary/)
    assert.equal(await dropPeriod(home, period, PERIOD_DROP_LOCK_MS), true)
    assert.deepEqual(await readLog(home, new Map([[Tick.name, 0]]), 10), [])
  })

  test('a transaction that has written keeps its period, and nobody waits for it beyond the time for locks', async () => {
    await startAnew()
    await prepareLog(started.cluster, { retentionMs: 0, periodMs: 400, aheadMs: 400 })
    const [, period = 0] = await ids()
    const open = Promise.withResolvers<void>()
    const inserted = Promise.withResolvers<void>()
    const late = home.transaction(async (tx) => {
      insertOutbox(tx, [{ id: newId(), topic: Tick.name, events: 1, records: '[1]' }])
      await tx.query('SELECT 1')
      inserted.resolve()
      await open.promise
    })
    await inserted.promise
    await prepareLog(started.cluster, { retentionMs: 0, periodMs: 60_000, aheadMs: 60_000 })
    await over(period)
    await assert.rejects(dropPeriod(home, period, 20), { code: 'DATA_CONFLICT' })
    await write(1, 2)
    open.resolve()
    await late
    assert.equal(await dropPeriod(home, period, PERIOD_DROP_LOCK_MS), false, 'now it is in the outbox')
  })

  test('C3 19: a group whose events were dropped is told so, and its missed events are counted', async () => {
    await startAnew()
    const missed: unknown[] = []
    const unsubscribe = eventsMissed.subscribe((fact) => missed.push(fact))
    await prepareLog(started.cluster, { retentionMs: 0, periodMs: 400, aheadMs: 400 })
    const [first = 0, period = 0] = await ids()
    for (let serial = 0; serial < 3; serial++) await write(1, serial)
    const [lease] = await holdLeases(home, 'test', { names: ['sequencer'], leaseMs: 60_000 })
    await drain('test', lease?.epoch ?? 0)
    await home.query(`INSERT INTO groundswell.consumer_position VALUES ('slow', 0, '${Tick.name}', 1)`)
    await prepareLog(started.cluster, { retentionMs: 0, periodMs: 60_000, aheadMs: 60_000 })
    await over(period)
    await keepLog(started.cluster, { retentionMs: 0, periodMs: 60_000, aheadMs: 60_000 })
    unsubscribe()
    assert.deepEqual(missed, [{ shard: 0, group: 'slow', topic: Tick.name, events: 2 }])
    const kept = await ids()
    assert.ok(!kept.includes(first) && !kept.includes(period))
    assert.equal((await lag(started.cluster)).find(({ group }) => group === 'slow')?.missed, 2)
  })

  test('C3 25 in small: many periods come and go under 8 writers, who never fail; nothing is lost and nothing grows', async (t) => {
    await startAnew()
    const retention = { retentionMs: 500, periodMs: 250, aheadMs: 1_500 }
    await prepareLog(started.cluster, retention)
    const seen = new Map<number, number>()
    const consumer = onBatch(Tick, async (deliveries, { tx }) => {
      await tx.query('SELECT 1')
      for (const {
        event: { payload },
      } of deliveries) {
        assert.equal(payload.serial, (seen.get(payload.writer) ?? -1) + 1, `order of writer ${payload.writer}`)
        seen.set(payload.writer, payload.serial)
      }
    })
    const groups = [{ name: 'churn', consumers: [consumer] }]
    const runtime = await startEvents({ cluster: started.cluster, groups, owner: 'test', sequence: true })
    let dropped = 0
    const unsubscribe = periodsChanged.subscribe((fact) => {
      dropped += fact.dropped
    })
    let writing = true
    let longestMs = 0
    const written = Array.from({ length: 8 }, () => 0)
    const writers = written.map(async (_, writer) => {
      while (writing) {
        const startedAtMs = performance.now()
        await write(writer, written[writer] ?? 0, 'x'.repeat(500))
        longestMs = Math.max(longestMs, performance.now() - startedAtMs)
        written[writer] = (written[writer] ?? 0) + 1
      }
    })
    await until(
      async () => {
        await keepLog(started.cluster, retention)
        return dropped >= 15
      },
      { timeoutMs: 60_000, what: '15 dropped periods' },
    )
    writing = false
    await Promise.all(writers)
    await until(() => written.every((count, writer) => seen.get(writer) === count - 1), { what: 'all delivered' })
    unsubscribe()
    await runtime.stop({ deadlineAtMs: Date.now() + 5_000 })
    await over((await ids()).at(-2) ?? 0)
    await until(async () => {
      await keepLog(started.cluster, retention)
      return (await home.query('SELECT FROM groundswell.log_segment')).length === 0
    })
    const events = written.reduce((sum, count) => sum + count, 0)
    t.diagnostic(`${events} events, ${dropped} periods dropped, longest write ${Math.round(longestMs)} ms`)
    const [tables] = await home.query<{ count: number; bytes: number }>(
      `SELECT count(*)::int AS count, sum(pg_total_relation_size(oid))::float8 AS bytes FROM pg_class
       WHERE relnamespace = 'groundswell'::regnamespace AND relname ~ '^(log_)?segment' AND relkind = 'r'`,
    )
    assert.ok((tables?.count ?? 99) <= 24, `${tables?.count} tables are left`)
    assert.ok((tables?.bytes ?? 1e9) < 24 * 50_000, `${tables?.bytes} bytes are left of ${events} events`)
    const [dead] = await home.query<{ tuples: number }>(
      `SELECT coalesce(sum(n_dead_tup), 0)::int AS tuples FROM pg_stat_user_tables WHERE relname ~ '^(log_)?segment'`,
    )
    assert.equal(dead?.tuples, 0, 'nothing of the log is ever updated or deleted')
  })
})

describe('a log from before there were periods', () => {
  test('is kept, with what waits in the outbox, by the migration that divides it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'groundswell-migrations-'))
    const files = ['0001_events.sql', '0002_store_segments_once.sql', '0003_timers.sql']
    for (const name of files) await copyFile(new URL(`./migrations/${name}`, import.meta.url), join(folder, name))
    const old = { ...eventsMigrations, folder: pathToFileURL(`${folder}/`) }
    const { cluster, stop } = await startTestCluster({ shards: 1, migrations: [systemMigrations, old] })
    try {
      const { home } = cluster
      const [logged, waiting, unnamed] = [newId(), newId(), newId()]
      await home.query('INSERT INTO groundswell.segment VALUES ($1, $2)', [logged, '["logged"]'])
      await home.query('INSERT INTO groundswell.segment VALUES ($1, $2)', [waiting, '["waiting"]'])
      await home.query('INSERT INTO groundswell.segment VALUES ($1, $2)', [unnamed, '["unnamed"]'])
      await home.query(
        `INSERT INTO groundswell.log_segment (topic, last_offset, events, written_at, segment)
         VALUES ('test.tick', 0, 1, now() - interval '1 h', $1)`,
        [logged],
      )
      await home.query(`INSERT INTO groundswell.log_head VALUES ('test.tick', 1)`)
      await home.query(`INSERT INTO groundswell.outbox (topic, events, segment) VALUES ('test.tick', 1, $1)`, [waiting])
      await cluster.migrate([systemMigrations, eventsMigrations])
      const [lease] = await holdLeases(home, 'test', { names: ['sequencer'], leaseMs: 60_000 })
      const drained = await drainOutbox(home, {
        owner: 'test',
        epoch: lease?.epoch ?? 0,
        floor: 0,
        segmentsMax: 100,
        leaseMs: 60_000,
        notify: false,
        written: new Map(),
      })
      assert.deepEqual(
        drained.map(({ records, lastOffset }) => [records, lastOffset]),
        [['["waiting"]', 1]],
      )
      const read = await readLog(home, new Map([['test.tick', 0]]), 10)
      assert.deepEqual(
        read.map(({ records }) => records),
        ['["logged"]', '["waiting"]'],
      )
      assert.equal((await home.query('SELECT FROM groundswell.segment')).length, 2)
    } finally {
      await stop()
      await rm(folder, { recursive: true })
    }
  })
})
