import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { newId } from '../../core/index.ts'
import { systemMigrations } from '../../data/index.ts'
import { startTestCluster, until } from '../../testing/index.ts'
import { eventLogContract } from '../contract.ts'
import { eventsMigrations, startEvents } from '../index.ts'
import { holdLeases } from './postgres-leases.ts'
import { drainOutbox, insertOutbox, LOG_CHANNEL, OutboxFloor, POSTGRES, readLog } from './postgres-log.ts'

const start = (shards: number) => startTestCluster({ shards, migrations: [systemMigrations, eventsMigrations] })

eventLogContract({ capabilities: POSTGRES, start: () => start(2), until })

describe('the outbox in PostgreSQL', () => {
  let testCluster: Awaited<ReturnType<typeof startTestCluster>>
  before(async () => {
    testCluster = await start(1)
  })
  after(() => testCluster?.stop())

  const home = () => testCluster.cluster.home
  const write = (...records: string[]) =>
    home().transaction(async (tx) =>
      insertOutbox(
        tx,
        records.map((one) => ({ id: newId(), topic: 'test.row', events: 1, records: one })),
      ),
    )
  const depth = async () => (await home().query('SELECT FROM groundswell.outbox')).length
  const hold = async (owner: string) =>
    (await holdLeases(home(), owner, { names: ['sequencer'], leaseMs: 60_000 }))[0]?.epoch
  const expire = () => home().query(`UPDATE groundswell.lease SET expires_at = '-infinity'`)
  const drain = (owner: string, epoch: number, floor = 0) =>
    drainOutbox(home(), { owner, epoch, floor, segmentsMax: 100, leaseMs: 60_000, notify: false, written: new Map() })

  test('C3 4: a start is refused when the outbox sequence caches positions', async () => {
    await home().query('ALTER SEQUENCE groundswell.outbox_pos_seq CACHE 10')
    const started = startEvents({ cluster: testCluster.cluster, groups: [], owner: 'test', sequence: true })
    await assert.rejects(started, { code: 'EVENTS_OUTBOX_SEQUENCE_CACHED' })
    await home().query('ALTER SEQUENCE groundswell.outbox_pos_seq CACHE 1')
  })

  test('C3 6: a sequencer of an older epoch moves nothing', async () => {
    const first = (await hold('first')) ?? 0
    assert.equal(await hold('second'), undefined)
    await write('[1]', '[2]')
    assert.deepEqual(
      (await drain('first', first)).map((segment) => segment.lastOffset),
      [0, 1],
    )

    await write('[3]')
    await expire()
    const second = (await hold('second')) ?? 0
    assert.equal(second, first + 1)
    assert.deepEqual(await drain('first', first), [])
    assert.deepEqual(await drain('second', first), [])
    assert.equal(await depth(), 1)
    assert.deepEqual(
      (await drain('second', second)).map((segment) => segment.lastOffset),
      [2],
    )
  })

  test('a drain that waits for a takeover to commit moves nothing', async () => {
    await expire()
    const epoch = (await hold('old')) ?? 0
    await write('[4]')
    await expire()
    let late: ReturnType<typeof drain> | undefined
    await home().transaction(async (tx) => {
      await holdLeases(tx, 'new', { names: ['sequencer'], leaseMs: 60_000 })
      late = drain('old', epoch)
      const blocked = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`
      await until(async () => (await home().query(blocked)).length === 1, { what: 'the drain waits' })
    })
    assert.deepEqual(await late, [])
    assert.equal(await depth(), 1)
    assert.equal((await drain('new', epoch + 1)).length, 1)
  })

  test('a drain reads back only the segments that this process does not know', async () => {
    await expire()
    const epoch = (await hold('reader')) ?? 0
    const [own, other] = [newId(), newId()]
    await home().transaction(async (tx) =>
      insertOutbox(tx, [
        { id: own, topic: 'test.row', events: 1, records: '["own"]' },
        { id: other, topic: 'test.row', events: 1, records: '["other"]' },
      ]),
    )
    const written = new Map([[own, { id: own, records: '["as written"]' }]])
    const limits = { floor: 0, segmentsMax: 100, leaseMs: 60_000, notify: false }
    const segments = await drainOutbox(home(), { owner: 'reader', epoch, written, ...limits })
    assert.deepEqual(
      segments.map(({ id, records }) => [id, records]),
      [
        [own, '["as written"]'],
        [other, '["other"]'],
      ],
    )
    const [logged] = await readLog(home(), new Map([['test.row', segments[0]?.lastOffset ?? 0]]), 1)
    assert.equal(logged?.records, '["own"]')
  })

  test('a drain tells other processes only when asked to', async () => {
    await expire()
    const epoch = (await hold('teller')) ?? 0
    const heard: string[] = []
    const unlisten = await testCluster.cluster.listen(0, LOG_CHANNEL, (payload) => heard.push(payload))
    const move = async (notify: boolean) => {
      await write('[7]')
      const limits = { floor: 0, segmentsMax: 100, leaseMs: 60_000, written: new Map() }
      await drainOutbox(home(), { owner: 'teller', epoch, notify, ...limits })
    }
    await move(false)
    await move(true)
    await until(() => heard.length > 0)
    await unlisten()
    assert.equal(heard.length, 1)
  })

  test('the floor stays below a position whose transaction is still open', async () => {
    await expire()
    const epoch = (await hold('floor')) ?? 0
    const floor = new OutboxFloor()
    const settle = async () => {
      await floor.look(home())
      const { ended } = floor
      const segments = await drain('floor', epoch, floor.position)
      floor.emptied(ended)
      return segments.length
    }
    const open = Promise.withResolvers<void>()
    const inserted = Promise.withResolvers<void>()
    const late = home().transaction(async (tx) => {
      insertOutbox(tx, [{ id: newId(), topic: 'test.row', events: 1, records: '[5]' }])
      await tx.query('SELECT 1')
      inserted.resolve()
      await open.promise
    })
    await inserted.promise
    await write('[6]')
    assert.equal(await settle(), 1)
    assert.equal(await settle(), 0)
    const held = floor.position
    open.resolve()
    await late
    assert.equal(await settle(), 1, 'the late row is still found')
    await settle()
    await settle()
    assert.ok(floor.position > held, 'the floor moves on after it')
  })
})
