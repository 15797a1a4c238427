import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { z } from 'zod'
import { event, newContext } from '../core/index.ts'
import { systemMigrations } from '../data/index.ts'
import { freePort, startTestCluster, type TestCluster, until } from '../testing/index.ts'
import { type EventsRuntime, emit, eventsMigrations, lag, onBatch, openBroker, startEvents } from './index.ts'

const Note = event('left.note', 1, z.object({ serial: z.int() }), { key: () => 1 })
const DECLARATION = {
  topics: [{ name: Note.name, partitions: 2, retentionMs: 3_600_000 }],
  groups: [{ name: 'reader', topics: [Note.name] }],
}

describe('a start without a broker, after one with it', () => {
  let started: TestCluster
  let stop: () => Promise<void> = async () => undefined
  const seen: number[] = []

  before(async () => {
    started = await startTestCluster({ shards: 2, migrations: [systemMigrations, eventsMigrations] })
  })
  after(() => started.stop())
  afterEach(() => stop())

  const start = async (url?: string) => {
    const engine = url === undefined ? undefined : await openBroker({ url, clientId: 'test' })
    const consumer = onBatch(Note, async (deliveries) => {
      seen.push(...deliveries.map((delivery) => delivery.event.payload.serial))
    })
    const runtime: EventsRuntime = await startEvents({
      cluster: started.cluster,
      broker: engine && { engine, declaration: DECLARATION },
      groups: [{ name: 'reader', consumers: [consumer] }],
      owner: 'test',
      sequence: true,
    })
    stop = async () => {
      await runtime.stop({ deadlineAtMs: Date.now() + 5_000 })
      await engine?.close()
    }
  }
  const write = (serial: number) =>
    started.cluster.home.transaction(async (tx) => emit(tx, Note, { serial }, newContext()))
  const lags = async () => (await lag(started.cluster)).filter(({ shard }) => shard === 0)

  test('is as good as ever where nothing listened at its address, and nothing of the forwarder is left', async () => {
    await start(`amqp://127.0.0.1:${await freePort()}`)
    await write(0)
    await until(async () => (await lags()).some(({ group }) => group === '~broker'), { what: 'the forwarder lags' })
    await stop()
    await start()
    await until(() => seen.length > 0, { what: 'the event is delivered from the log' })
    assert.deepEqual(
      (await lags()).map(({ group }) => group),
      ['reader'],
    )
  })

  test('is refused when a record was forwarded, or when a group has read one on any shard', async () => {
    await stop()
    for (const [group, shard] of [
      ['~broker', 0],
      ['reader', 1],
    ] as const) {
      const target = started.cluster.shards[shard]
      assert.ok(target !== undefined)
      await target.query(`INSERT INTO groundswell.consumer_position (grp, source, topic, next_offset)
        VALUES ('${group}', 0, 'left.note/1', 3), ('~broker', ${shard}, 'left.note', 0)`)
      await assert.rejects(start(), { code: 'EVENTS_BROKER_NEEDED' })
      const kept = await target.query(`SELECT FROM groundswell.consumer_position WHERE grp = '~broker'`)
      assert.ok(kept.length > 0, 'a start that is refused takes nothing away')
      await target.query(`DELETE FROM groundswell.consumer_position WHERE topic = 'left.note/1' OR grp = '~broker'`)
    }
  })
})
