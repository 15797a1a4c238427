import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { app, event, newContext } from '../core/index.ts'
import { type OpenCluster, systemMigrations } from '../data/index.ts'
import { startTestCluster, until } from '../testing/index.ts'
import { deadLetters, emit, eventsMigrations, on, startEvents } from './index.ts'
import { checkEvent, decodeSegment, encodeRecord, type LoggedEvent } from './segment.ts'

const byUser = { key: (payment: { readonly userId: number }) => payment.userId }
const PaidV1 = event('test.paid', 1, z.object({ userId: z.int(), euros: z.number().min(0) }), byUser)
const PaidV2 = event('test.paid', 2, z.object({ userId: z.int(), cents: z.int() }), {
  ...byUser,
  previous: { type: PaidV1, upcast: ({ userId, euros }) => ({ userId, cents: Math.round(euros * 100) }) },
})
const Paid = event('test.paid', 3, z.object({ userId: z.int(), cents: z.int().max(1_000), currency: z.string() }), {
  ...byUser,
  previous: { type: PaidV2, upcast: (old) => ({ ...old, currency: 'EUR' }) },
})
const PaidV9 = event('test.paid', 9, z.object({ userId: z.int() }), byUser)

let cluster: OpenCluster
let stop: () => Promise<void>

before(async () => {
  const started = await startTestCluster({ shards: 2, migrations: [systemMigrations, eventsMigrations] })
  cluster = started.cluster
  stop = started.stop
})
after(() => stop?.())

test('C3 20: old versions reach a v3 handler through their upcasters, and an unknown version is parked', async () => {
  const seen = new Map<number, unknown>()
  const handler = on(Paid, async ({ payload, version }) => {
    seen.set(payload.userId, { ...payload, version })
  })
  await cluster.home.transaction(async (tx) => {
    emit(tx, PaidV1, { userId: 2, euros: 1.25 }, newContext())
    emit(tx, PaidV2, { userId: 4, cents: 7 }, newContext())
    emit(tx, PaidV9, { userId: 6 }, newContext())
    emit(tx, PaidV1, { userId: 8, euros: 99 }, newContext())
    emit(tx, Paid, { userId: 10, cents: 9, currency: 'CHF' }, newContext())
  })
  const groups = [{ name: 'readers', consumers: [handler] }]
  const events = await startEvents({ cluster, groups, owner: 'test', sequence: true })
  try {
    await until(() => seen.size === 3, { what: 'three payments' })
    const dead = await until(async () => {
      const letters = await deadLetters(cluster)
      return letters.length === 2 ? letters : undefined
    })
    assert.deepEqual(Object.fromEntries(seen), {
      2: { userId: 2, cents: 125, currency: 'EUR', version: 3 },
      4: { userId: 4, cents: 7, currency: 'EUR', version: 3 },
      10: { userId: 10, cents: 9, currency: 'CHF', version: 3 },
    })
    const letterOf = (key: string) => dead.find((letter) => letter.key === key)
    assert.match(
      letterOf('6')?.error ?? '',
      /version 9 of test.paid is unknown here: this consumer reads version 1, 2, 3/,
    )
    // 99 euros are more than the newest version allows.
    assert.match(letterOf('8')?.error ?? '', /made from v1, breaks the schema of test.paid v3/)
    assert.deepEqual([letterOf('8')?.version, letterOf('8')?.payload], [1, { userId: 8, euros: 99 }])
  } finally {
    await events.stop({ deadlineAtMs: Date.now() + 5_000 })
  }
})

test('groups that read different versions of one event each get theirs', () => {
  const one = logged(PaidV1.version, { userId: 2, euros: 0.5 })
  checkEvent(one, Paid)
  assert.deepEqual(one.envelope.payload, { userId: 2, cents: 50, currency: 'EUR' })
  checkEvent(one, PaidV1)
  assert.deepEqual([one.problem, one.envelope.payload], [undefined, { userId: 2, euros: 0.5 }])
  checkEvent(one, PaidV9)
  assert.match(one.problem ?? '', /version 1 of test.paid is unknown/)
  checkEvent(one, PaidV2)
  assert.deepEqual([one.problem, one.envelope.version], [undefined, 2])
})

test('a payload that its own version would not have let through is not upcast', () => {
  const one = logged(1, { userId: 2, euros: -1 })
  checkEvent(one, Paid)
  assert.match(one.problem ?? '', /the payload breaks the schema of test.paid v1/)
})

test('an upcaster that throws makes its event unreadable, and says which one', () => {
  const Broken = event('test.paid', 2, z.object({ userId: z.int() }), {
    ...byUser,
    previous: {
      type: PaidV1,
      upcast: () => {
        throw new Error('no rate for that day')
      },
    },
  })
  const one = logged(1, { userId: 2, euros: 1 })
  checkEvent(one, Broken)
  assert.match(one.problem ?? '', /the upcaster of test.paid from v1 to v2 threw: no rate for that day/)
})

test('a later version, or one of another event, is no previous version', () => {
  const previous = { type: PaidV2, upcast: () => ({ userId: 1 }) }
  const declare = (name: string) => event(name, 2, z.object({ userId: z.int() }), { ...byUser, previous })
  assert.throws(() => declare('test.paid'), /test.paid v2: test.paid v2 is no earlier version of it/)
  assert.throws(() => declare('test.refunded'), /test.refunded v2: test.paid v2 is no earlier version of it/)
})

test('an application whose consumer could not read what is emitted is refused', () => {
  const parts = { placement: 'sharded', routes: [], consoleRoutes: [] } as const
  const made = (writes: typeof PaidV9 | typeof PaidV1) =>
    app('shop', {
      services: [
        { ...parts, name: 'writer', consumers: [], emits: [writes] },
        { ...parts, name: 'reader', consumers: [on(Paid, async () => {})], emits: [] },
      ],
    })
  assert.equal(made(PaidV1).services.length, 2)
  assert.throws(() => made(PaidV9), /reader reads test.paid v3, v2, v1, but v9 is emitted/)
})

function logged(version: number, payload: unknown): LoggedEvent {
  const records = encodeRecord({ id: 'a', version, bucket: 2, key: '2', traceparent: '', occurredAtMs: 5, payload })
  const [event] = decodeSegment({ id: 'a', topic: 'test.paid', lastOffset: 0, events: 1, records: `[${records}]` })
  assert.ok(event)
  return event
}
