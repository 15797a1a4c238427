import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { z } from 'zod'
import { event } from '../core/index.ts'
import { systemMigrations } from '../data/index.ts'
import { startTestCluster, type TestCluster, until } from '../testing/index.ts'
import { onBatch } from './consumer.ts'
import { eventsMigrations } from './index.ts'
import { ATTEMPTS_MAX, RETRY_BACKOFF_MS_MAX, RETRY_BACKOFF_MS_MIN } from './limits.ts'
import { type Group, groupsOf, type Item, itemOf } from './plan.ts'
import type { LoggedEvent } from './segment.ts'
import { Target } from './target.ts'

const Tick = event('test.tick', 1, z.object({ n: z.int() }), { key: (tick) => tick.n })

test('a provider that is away for a minute makes no dead letters, even when every pause is at its shortest', () => {
  const pauses = Array.from({ length: ATTEMPTS_MAX - 1 }, (_, index) =>
    Math.min(RETRY_BACKOFF_MS_MAX, RETRY_BACKOFF_MS_MIN * 2 ** index),
  )
  const shortestMs = pauses.reduce((sum, pauseMs) => sum + pauseMs / 2, 0)
  assert.ok(shortestMs > 60_000, `${shortestMs} ms`)
})

describe('two workers of one group, one of which should have stopped', () => {
  let started: TestCluster
  let broken = false

  before(async () => {
    started = await startTestCluster({ shards: 1, migrations: [systemMigrations, eventsMigrations] })
    await started.cluster.home.query('CREATE TABLE public.effect (n int)')
  })
  after(() => started?.stop())

  const consumer = onBatch(Tick, async (deliveries, { tx }) => {
    for (const delivery of deliveries)
      await tx.query('INSERT INTO public.effect VALUES ($1)', [delivery.event.payload.n])
    if (broken) throw new Error('broken')
  })
  const [group] = groupsOf([{ name: 'group', consumers: [consumer] }]) as [Group]
  const load = () => {
    const { cluster } = started
    const retry = { attemptsMax: 8, backoff: { minMs: 0, maxMs: 0 } }
    return Target.load({ cluster, shard: cluster.home, group, source: 0, retry })
  }
  const call = () => ({ group: 'accounts', cluster: started.cluster, signal: new AbortController().signal })
  const items = (from: number, count: number): Item[] =>
    Array.from({ length: count }, (_, index) => {
      const offset = from + index
      const envelope = {
        id: `00000000-0000-7000-8000-00000000000${offset}`,
        type: Tick.name,
        version: 1,
        bucket: offset,
      }
      const logged: LoggedEvent = {
        topic: Tick.name,
        stream: Tick.name,
        offset,
        envelope: { ...envelope, key: String(offset), payload: { n: offset }, traceparent: '', occurredAtMs: 0 },
      }
      return itemOf(logged, group.consumers.get(Tick.name) ?? assert.fail())
    })
  const effects = async () =>
    (await started.cluster.home.query<{ n: number }>('SELECT n FROM public.effect ORDER BY n')).map((row) => row.n)

  test('cannot both commit the same events', async () => {
    const [first, second] = [await load(), await load()]
    const ends = new Map([[Tick.name, 3]])
    const outcomes = await Promise.allSettled(
      [first, second].map((target) => target.deliver(items(0, 3), ends, call())),
    )
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected')
    assert.deepEqual(
      failed.map((outcome) => outcome.reason.code),
      ['EVENTS_POSITION_TAKEN'],
    )
    assert.deepEqual(await effects(), [0, 1, 2])
  })

  test('cannot both process a parked event', async () => {
    broken = true
    const first = await load()
    await first.deliver(items(3, 1), new Map([[Tick.name, 4]]), call())
    const second = await load()
    assert.deepEqual([...second.parkedKeys], ['3'])
    broken = false
    const outcomes = await until(async () => {
      const both = await Promise.allSettled([first.retryDue(call()), second.retryDue(call())])
      return (await effects()).length > 3 && both
    })
    assert.ok(outcomes.some((outcome) => outcome.status === 'fulfilled' && outcome.value === 1))
    assert.deepEqual(await effects(), [0, 1, 2, 3])
  })
})
