import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { z } from 'zod'
import { event, newContext } from '../core/index.ts'
import { type Shard, systemMigrations } from '../data/index.ts'
import { startTestCluster, type TestCluster } from '../testing/index.ts'
import type { BrokerLag } from './broker.ts'
import { brokerLag } from './broker-lag.ts'
import { holdLeases } from './engines/postgres-leases.ts'
import { drainOutbox } from './engines/postgres-log.ts'
import { FORWARDER, setPosition } from './engines/postgres-positions.ts'
import { RABBITMQ } from './engines/rabbitmq.ts'
import { emit, eventsMigrations } from './index.ts'
import { LAG_BLOCKS_MAX, LAG_EVENTS_MAX } from './limits.ts'
import { partitionOf } from './partition.ts'

const PARTITIONS = 3
const KEYS = 7
const GROUP = 'mail'

const Tick = event('test.tick', 1, z.object({ serial: z.int() }), { key: ({ serial }) => serial % KEYS })

const belongsTo = (partition: number) => (serial: number) =>
  partitionOf(String(serial % KEYS), PARTITIONS) === partition

describe('what groups have to read from a broker that does not count it', () => {
  let started: TestCluster
  let home: Shard
  let epoch = 0
  let written = 0

  before(async () => {
    started = await startTestCluster({ shards: 1, migrations: [systemMigrations, eventsMigrations] })
    home = started.cluster.home
    const [lease] = await holdLeases(home, 'test', { names: ['sequencer'], leaseMs: 60_000 })
    epoch = lease?.epoch ?? 0
  })
  after(() => started?.stop())
  beforeEach(() => home.query('TRUNCATE groundswell.consumer_position'))

  const write = async (count: number) => {
    await home.transaction(async (tx) => {
      for (const end = written + count; written < end; written++) emit(tx, Tick, { serial: written }, newContext())
    })
    const drain = { owner: 'test', epoch, floor: 0, segmentsMax: 1_000, leaseMs: 60_000, notify: false }
    await drainOutbox(home, { ...drain, written: new Map() })
  }
  const move = (group: string, stream: string, offset: number) =>
    setPosition(home, { group, source: 0 }, { stream: `${Tick.name}${stream}`, offset })
  const forward = async () => {
    for (let partition = 0; partition < PARTITIONS; partition++) await move(FORWARDER, `/${partition}`, written)
  }
  /** How many events of each partition lie from `next` up to what is written. */
  const between = (next: readonly number[]) =>
    next.map((from, partition) => {
      const serials = Array.from({ length: written - from }, (_, index) => from + index)
      return serials.filter(belongsTo(partition)).length
    })
  /** The broker itself says `told`, of all partitions it has. */
  const lags = async (told: readonly number[] = [0, 0, 0]) => {
    const rows: BrokerLag[] = told.map((messages, partition) => ({
      group: GROUP,
      topic: Tick.name,
      partition,
      messages,
    }))
    const found = await brokerLag(started.cluster, { capabilities: RABBITMQ, lag: async () => rows })
    return found.filter(({ group }) => group === GROUP).map(({ messages }) => messages)
  }

  test('events of a partition are counted one by one, across blocks, and again as more comes', async () => {
    await write(3 * LAG_EVENTS_MAX)
    await forward()
    const next = [LAG_EVENTS_MAX - 1, 5, 2 * LAG_EVENTS_MAX]
    for (const [partition, offset] of next.entries()) await move(GROUP, `/${partition}`, offset)
    assert.deepEqual(await lags(), between(next))
    await write(10)
    await forward()
    assert.deepEqual(await lags(), between(next))
    next[1] = written
    await move(GROUP, '/1', written)
    assert.deepEqual(await lags([0, 9, 0]), between(next), 'what was repeated at the broker is not unread')
  })

  test('what is not forwarded yet is none of it; a queue that is missing is', async () => {
    await forward()
    const next = [written - 100, written - 50, written - 20]
    for (const [partition, offset] of next.entries()) await move(GROUP, `/${partition}`, offset)
    const expected = between(next)
    await write(10)
    assert.deepEqual(await lags([]), expected)
  })

  test('where a group read the log itself before, it goes on from there', async () => {
    await forward()
    const from = written - 40
    await move(GROUP, '', from)
    await move(GROUP, '/0', written)
    assert.deepEqual(await lags(), between([written, from, from]))
  })

  test('the broker is believed of what was never read, is too much, or was dropped, if it says more', async () => {
    await forward()
    await move(GROUP, '/0', written)
    assert.deepEqual(await lags([0, 4, 0]), [0, 4, 0], 'never read')
    const first = written
    for (let block = 0; block <= LAG_BLOCKS_MAX; block++) await write(LAG_EVENTS_MAX)
    await forward()
    const next = [first, first, written - 1]
    for (const [partition, offset] of next.entries()) await move(GROUP, `/${partition}`, offset)
    const counted = await lags([0, 1_000_000, 7])
    assert.ok((counted[0] ?? 0) > (between(next)[0] ?? 0) / 2, `${counted[0]} of ${between(next)[0]}`)
    assert.deepEqual(counted.slice(1), [1_000_000, between(next)[2]], 'too much')
    await home.query('TRUNCATE groundswell.log_segment')
    for (let partition = 0; partition < PARTITIONS; partition++) await move(GROUP, `/${partition}`, 1)
    assert.deepEqual(await lags([1_000_003, 1_000_002, 1_000_001]), [1_000_003, 1_000_002, 1_000_001], 'dropped')
  })
})
