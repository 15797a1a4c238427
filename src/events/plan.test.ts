import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { event } from '../core/index.ts'
import { on, onBatch } from './consumer.ts'
import { groupsOf, type Item, itemOf, planTargets, reach, sortItems } from './plan.ts'
import { checkEvent, decodeSegment, encodeRecord, type LoggedEvent } from './segment.ts'

const Tick = event('test.tick', 1, z.object({ n: z.int() }), { key: (tick) => tick.n })
const Tock = event('test.tock', 1, z.object({ n: z.int() }), { key: (tock) => tock.n })
const nothing = async () => {}

function logged(topic: string, offset: number, key = '0'): LoggedEvent {
  const envelope = {
    id: `${topic}-${offset}`,
    type: topic,
    version: 1,
    key,
    bucket: Number(key),
    payload: { n: offset },
  }
  return { topic, stream: topic, offset, envelope: { ...envelope, traceparent: '', occurredAtMs: 0 } }
}

function items(...events: LoggedEvent[]): Item[] {
  const [group] = groupsOf([{ name: 'g', consumers: [on(Tick, nothing), on(Tock, nothing)] }])
  return events.flatMap((one) => {
    const consumer = group?.consumers.get(one.topic)
    return consumer === undefined ? [] : [itemOf(one, consumer)]
  })
}

describe('the plan of a delivery', () => {
  test('positions may go up to the first event of each topic that is still to be done', () => {
    const ends = new Map([
      ['test.tick', 10],
      ['test.tock', 4],
    ])
    const rest = items(logged('test.tick', 7), logged('test.tick', 8))
    assert.deepEqual(
      reach(ends, rest),
      new Map([
        ['test.tick', 7],
        ['test.tock', 4],
      ]),
    )
  })

  test('what follows a failed event of its key waits, other keys run, across topics', () => {
    const all = items(
      logged('test.tick', 0, '1'),
      logged('test.tick', 1, '2'),
      logged('test.tock', 0, '1'),
      logged('test.tock', 1, '3'),
    )
    const [first] = all
    if (first !== undefined) first.outcome = { kind: 'failed', state: 'retrying', error: 'broken' }
    const { runnable, parking } = sortItems(all, new Set(['3']))
    assert.deepEqual(
      runnable.map((item) => item.event.envelope.id),
      ['test.tick-1'],
    )
    assert.deepEqual(
      parking.map(({ item, state }) => [item.event.envelope.id, state]),
      [
        ['test.tick-0', 'retrying'],
        ['test.tock-0', 'waiting'],
        ['test.tock-1', 'waiting'],
      ],
    )
  })

  test('each event goes to the shards that its consumer names, in order', () => {
    const [group] = groupsOf([
      { name: 'g', consumers: [on(Tick, nothing), on(Tock, nothing, { target: 'every-shard' })] },
    ])
    assert.ok(group)
    const events = [logged('test.tick', 0, '1'), logged('test.tick', 1, '2'), logged('test.tock', 0, '1')]
    const plan = planTargets(events, group, { count: 2, ofBucket: (bucket) => bucket % 2 })
    const ids = (target: number) => plan.get(target)?.map((item) => item.event.envelope.id)
    assert.deepEqual(ids(0), ['test.tick-1', 'test.tock-0'])
    assert.deepEqual(ids(1), ['test.tick-0', 'test.tock-0'])
  })

  test('a group declared twice, two consumers of one event, and a call for every shard are refused', () => {
    const refused = { code: 'EVENTS_GROUP_INVALID' }
    const call = async () => 'answer'
    assert.throws(
      () =>
        groupsOf([
          { name: 'g', consumers: [] },
          { name: 'g', consumers: [] },
        ]),
      refused,
    )
    assert.throws(() => groupsOf([{ name: 'g', consumers: [on(Tick, nothing), on(Tick, nothing)] }]), refused)
    const everywhere = onBatch<{ n: number }, string>(Tick, nothing, { target: 'every-shard', call })
    assert.throws(() => groupsOf([{ name: 'g', consumers: [everywhere] }]), refused)
  })
})

describe('a segment', () => {
  const record = (payload: unknown) =>
    encodeRecord({ id: 'a', version: 1, bucket: 7, key: 'k\n"', traceparent: 't', occurredAtMs: 5, payload })

  test('is read back as it was written, without a line break in between', () => {
    const records = `[${record({ text: 'line\nbreak' })},${record({ n: 2 })}]`
    assert.ok(!records.includes('\n'))
    const [first, second] = decodeSegment({ id: 'first', topic: 'test.tick', lastOffset: 10, events: 2, records })
    assert.deepEqual(first, {
      topic: 'test.tick',
      stream: 'test.tick',
      offset: 9,
      envelope: {
        id: 'a',
        type: 'test.tick',
        version: 1,
        key: 'k\n"',
        bucket: 7,
        payload: { text: 'line\nbreak' },
        traceparent: 't',
        occurredAtMs: 5,
      },
    })
    assert.equal(second?.offset, 10)
  })

  test('that is not what the writer makes is an error that names it', () => {
    const broken = { code: 'EVENTS_LOG_UNREADABLE', message: /segment 10 of test.tick/ }
    assert.throws(
      () => decodeSegment({ id: 'first', topic: 'test.tick', lastOffset: 10, events: 2, records: '[[' }),
      broken,
    )
    assert.throws(
      () => decodeSegment({ id: 'first', topic: 'test.tick', lastOffset: 10, events: 2, records: `[${record(1)}]` }),
      broken,
    )
  })

  test('events of one type are checked once, and a problem is kept for the next reader', () => {
    const one = logged('test.tick', 0)
    checkEvent(one, Tick)
    const { envelope } = one
    checkEvent(one, Tick)
    assert.equal(one.envelope, envelope)
    const bad: LoggedEvent = { ...logged('test.tick', 0), envelope: { ...envelope, payload: { n: 'x' } } }
    checkEvent(bad, Tick)
    assert.match(bad.problem ?? '', /breaks the schema of test.tick v1/)
  })
})
