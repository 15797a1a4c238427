import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, mock, test } from 'node:test'
import { z } from 'zod'
import { event, newContext, systemClock } from '../core/index.ts'
import { type Shard, systemMigrations } from '../data/index.ts'
import { startTestCluster, type TestCluster, until } from '../testing/index.ts'
import { holdLeases } from './engines/postgres-leases.ts'
import { releaseTimers } from './engines/postgres-timers.ts'
import { cancel, type EventsRuntime, emit, eventsMigrations, onBatch, schedule, startEvents } from './index.ts'

const Due = event('test.due', 1, z.object({ account: z.int(), note: z.string() }), { key: (due) => due.account })

describe('timers', () => {
  let started: TestCluster
  let home: Shard
  let runtime: EventsRuntime | undefined
  let seen: { note: string; id: string; occurredAtMs: number }[] = []

  before(async () => {
    started = await startTestCluster({ shards: 1, migrations: [systemMigrations, eventsMigrations] })
    home = started.cluster.home
  })
  after(() => started?.stop())
  beforeEach(async () => {
    seen = []
    await home.query('TRUNCATE groundswell.timer, groundswell.outbox, groundswell.log_segment, groundswell.log_head')
    await home.query('TRUNCATE groundswell.consumer_position, groundswell.lease')
  })
  afterEach(async () => {
    mock.restoreAll()
    await stop()
  })

  const stop = async () => {
    await runtime?.stop({ deadlineAtMs: Date.now() + 5_000 })
    runtime = undefined
  }
  const run = async () => {
    const consumer = onBatch(Due, async (deliveries, { tx }) => {
      await tx.query('SELECT 1')
      seen.push(...deliveries.map(({ event: { id, occurredAtMs, payload } }) => ({ ...payload, id, occurredAtMs })))
    })
    const groups = [{ name: 'clock', consumers: [consumer] }]
    runtime = await startEvents({ cluster: started.cluster, groups, owner: 'test', sequence: true })
  }
  const notes = () => seen.map(({ note }) => note)
  const due = (note: string, account = 1) => ({ type: Due, payload: { account, note }, ...newContext() })
  const set = (key: string, dueInMs: number, note = key) =>
    home.transaction(async (tx) => schedule(tx, { key, dueInMs, event: due(note) }))
  const names = async () =>
    (await home.query<{ name: string }>('SELECT name FROM groundswell.timer')).map((t) => t.name)

  test('an event that is delayed comes when it is due, not before, and occurs then', async () => {
    await run()
    const beganAtMs = Date.now()
    const id = await home.transaction(async (tx) =>
      emit(tx, Due, { account: 1, note: 'later' }, { ...newContext(), delayMs: 400 }),
    )
    await home.transaction(async (tx) => emit(tx, Due, { account: 1, note: 'at once' }, newContext()))
    await until(() => seen.length === 2)
    assert.deepEqual(notes(), ['at once', 'later'])
    assert.equal(seen[1]?.id, id)
    const waitedMs = (seen[1]?.occurredAtMs ?? 0) - beganAtMs
    assert.ok(waitedMs >= 400, `kept back for ${waitedMs} ms`)
  })

  test('an event with a time that has passed comes at once, one with a later time is kept', async () => {
    await run()
    const write = (note: string, notBefore: Date) =>
      home.transaction(async (tx) => emit(tx, Due, { account: 1, note }, { ...newContext(), notBefore }))
    await write('future', new Date(Date.now() + 3_600_000))
    await write('past', new Date(0))
    await until(() => seen.length === 1)
    assert.deepEqual(notes(), ['past'])
    assert.equal((await names()).length, 1)
  })

  test('timers that are due come in the order of their times, then of setting, whatever was set when', async () => {
    await home.transaction(async (tx) => {
      for (const [key, dueInMs] of Object.entries({ third: 30, first: 10, second: 20 })) {
        schedule(tx, { key, dueInMs, event: due(key) })
      }
    })
    await home.transaction(async (tx) => {
      for (let n = 0; n < 20; n++) schedule(tx, { key: `tie-${n}`, dueInMs: 40, event: due(`tie-${n}`) })
    })
    await until(async () => (await home.query(`SELECT FROM groundswell.timer WHERE due_at > now()`)).length === 0)
    await run()
    await until(() => seen.length === 23)
    assert.deepEqual(notes(), ['first', 'second', 'third', ...Array.from({ length: 20 }, (_, n) => `tie-${n}`)])
  })

  test('a timer is set anew under its key, and cancelled with the transaction that cancels it', async () => {
    await set('deadline', 3_600_000, 'as first set')
    await set('deadline', 0, 'set anew')
    await set('other', 3_600_000)
    await assert.rejects(
      home.transaction(async (tx) => {
        await cancel(tx, ['other'])
        throw new Error('rolled back')
      }),
    )
    assert.deepEqual((await names()).sort(), ['deadline', 'other'])
    const cancelled = await home.transaction((tx) => cancel(tx, ['other', 'never set']))
    assert.deepEqual([...cancelled], ['other'])
    await run()
    await until(() => seen.length === 1)
    assert.deepEqual(notes(), ['set anew'])
    assert.deepEqual([...(await home.transaction((tx) => cancel(tx, ['deadline'])))], [], 'it was released')
  })

  test('a timer that its own transaction cancels is never set', async () => {
    await home.transaction(async (tx) => {
      schedule(tx, { key: 'a', dueInMs: 0, event: due('a') })
      schedule(tx, { key: 'b', dueInMs: 0, event: due('b') })
      assert.deepEqual([...(await cancel(tx, ['a']))], ['a'])
    })
    assert.deepEqual(await names(), ['b'])
  })

  test('a timer that an open transaction is cancelling keeps none of the others back', async () => {
    await set('held', 0)
    await set('free', 5)
    const open = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const cancelling = home.transaction(async (tx) => {
      await cancel(tx, ['held'])
      begun.resolve()
      await open.promise
      throw new Error('rolled back')
    })
    await begun.promise
    await run()
    await until(() => seen.length === 1)
    open.resolve()
    await assert.rejects(cancelling)
    await until(() => seen.length === 2)
    assert.deepEqual(notes(), ['free', 'held'])
  })

  test('C3 6: a process whose epoch has passed releases nothing', async () => {
    await set('once', 0)
    const [old] = await holdLeases(home, 'old', { names: ['sequencer'], leaseMs: 60_000 })
    await home.query(`UPDATE groundswell.lease SET expires_at = '-infinity'`)
    await holdLeases(home, 'new', { names: ['sequencer'], leaseMs: 60_000 })
    const release = { owner: 'old', epoch: old?.epoch ?? 0, timersMax: 10, leaseMs: 1_000 }
    assert.equal((await releaseTimers(home, release)).events, 0)
    assert.deepEqual(await names(), ['once'])
  })

  test('timers outlive the processes that set them', async () => {
    await run()
    await set('kept', 300)
    await stop()
    await until(async () => (await home.query(`SELECT FROM groundswell.timer WHERE due_at > now()`)).length === 0)
    assert.deepEqual(notes(), [])
    await run()
    await until(() => seen.length === 1)
    assert.deepEqual(notes(), ['kept'])
  })

  for (const [name, skewMs] of [
    ['ahead', 300_000],
    ['behind', -300_000],
  ] as const) {
    test(`C3 23: a process whose clock is five minutes ${name} neither fires early nor late`, async () => {
      mock.method(systemClock, 'now', () => Date.now() + skewMs)
      await run()
      await set('not yet', 240_000)
      await set('soon', 200)
      await until(() => seen.length === 1)
      assert.deepEqual(notes(), ['soon'])
      assert.deepEqual(await names(), ['not yet'])
      const [{ skew = 1e9 } = {}] = await home.query<{ skew: number }>(
        `SELECT abs(extract(epoch FROM now()) * 1000 - $1)::float8 AS skew`,
        [seen[0]?.occurredAtMs],
      )
      assert.ok(skew < 60_000, 'the event occurred by the time of the database')
    })
  }

  test('what cannot be a timer is refused before anything is written', async () => {
    const attempt = (key: string, dueInMs: number) =>
      assert.rejects(set(key, dueInMs), { code: 'EVENTS_TIMER_INVALID' }, `${key.slice(0, 10)} ${dueInMs}`)
    await attempt('', 1)
    await attempt('x'.repeat(201), 1)
    await attempt('nul\0', 1)
    await attempt('late', Number.NaN)
    await attempt('late', Number.POSITIVE_INFINITY)
    const wrong = home.transaction(async (tx) =>
      schedule(tx, {
        key: 'wrong',
        dueInMs: 1,
        event: { ...due('x'), payload: { account: 'one', note: '' } as never },
      }),
    )
    await assert.rejects(wrong, { code: 'EVENTS_PAYLOAD_INVALID' })
    assert.deepEqual(await names(), [])
  })

  test('text of every kind comes out of a timer as it went in', async () => {
    const text = `"quoted" \\ back\u2028slash\n line, {brace} NULL é 😀 \u0001`
    await run()
    await set('text', 0, text)
    await until(() => seen.length === 1)
    assert.deepEqual(notes(), [text])
  })
})
