import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { z } from 'zod'
import { event } from '../core/index.ts'
import { systemMigrations } from '../data/index.ts'
import { startTestCluster, type TestCluster } from '../testing/index.ts'
import type { PlacedEvent } from './broker-record.ts'
import { gapMet } from './channels.ts'
import { onBatch } from './consumer.ts'
import { eventsMigrations } from './index.ts'
import { type Group, groupsOf } from './plan.ts'
import { SourceDelivery } from './source-delivery.ts'

const Tick = event('test.tick', 1, z.object({ n: z.int() }), { key: (tick) => tick.n })

/** The event at this offset; the one before it in its partition is that before it in the topic. */
function placed(n: number): PlacedEvent {
  const id = `00000000-0000-7000-8000-00000000000${n}`
  const envelope = { id, type: Tick.name, version: 1, bucket: 0, key: '0', payload: { n }, traceparent: '' }
  const place = { topic: Tick.name, stream: `${Tick.name}/0`, offset: n }
  return { source: 0, after: n, event: { ...place, envelope: { ...envelope, occurredAtMs: 0 } } }
}

describe('a partition that goes from one process to another and back', () => {
  let started: TestCluster
  const effects: number[] = []

  before(async () => {
    started = await startTestCluster({ shards: 1, migrations: [systemMigrations, eventsMigrations] })
  })
  after(() => started?.stop())

  const consumer = onBatch(Tick, async (deliveries) => {
    for (const { event: one } of deliveries) effects.push(one.payload.n)
  })
  const [group] = groupsOf([{ name: 'group', consumers: [consumer] }]) as [Group]
  const process = () => {
    const { cluster } = started
    const { signal } = new AbortController()
    const retry = { attemptsMax: 8, backoff: { minMs: 0, maxMs: 0 } }
    const call = { group: group.name, cluster, signal }
    const place = { cluster, source: cluster.home, group, retry, call, stopping: signal }
    return new SourceDelivery({ ...place, movesOf: () => 0, onParked: () => undefined })
  }

  test('what the other has delivered meanwhile is no gap; what nobody has is one', async () => {
    const facts: boolean[] = []
    const end = gapMet.subscribe(({ isOpen }) => facts.push(isOpen))
    const [one, other] = [process(), process()]
    await one.deliver([placed(0), placed(1)])
    await other.deliver([placed(2), placed(3)])
    await one.deliver([placed(4)])
    assert.deepEqual([effects, facts], [[0, 1, 2, 3, 4], []])
    await assert.rejects(one.deliver([placed(6)]), { code: 'EVENTS_OFFSET_EXPIRED' })
    await one.deliver([placed(5), placed(6)])
    assert.deepEqual(
      [effects, facts],
      [
        [0, 1, 2, 3, 4, 5, 6],
        [true, false],
      ],
    )
    end()
  })
})
