import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { type AnyEventType, type App, app, event } from '../core/index.ts'
import { checkEvents, parseReleased, releaseOf } from './released.ts'

const byUser = { key: (payment: { readonly userId: number }) => payment.userId }
const euros = z.object({ userId: z.int(), euros: z.number() })
const cents = z.object({ userId: z.int(), cents: z.int() })
const PaidV1 = event('test.paid', 1, euros, byUser)
const upcast = (old: z.infer<typeof euros>) => ({ userId: old.userId, cents: Math.round(old.euros * 100) })
const PaidV2 = event('test.paid', 2, cents, { ...byUser, previous: { type: PaidV1, upcast } })

function appOf(writes: AnyEventType, reads: AnyEventType = writes): App {
  const parts = { placement: 'sharded', routes: [], consoleRoutes: [] } as const
  const consumer = { event: reads, target: 'key', batch: false, apply: async () => {} } as const
  return app('shop', {
    services: [
      { ...parts, name: 'writer', consumers: [], emits: [writes] },
      { ...parts, name: 'reader', consumers: [consumer], emits: [] },
    ],
  })
}

const released = releaseOf(appOf(PaidV1))
const breachesOf = (value: App) => checkEvents(value, released).breaches

test('what was released is compatible with itself, through the file', () => {
  const text = JSON.stringify(released)
  assert.deepEqual(checkEvents(appOf(PaidV1), parseReleased(text, 'events.lock.json')), {
    breaches: [],
    unreleased: [],
  })
})

test('a file that is none of ours is an error that names it', () => {
  const refused = { code: 'CONTRACTS_RELEASE_INVALID', message: /events.lock.json/ }
  assert.throws(() => parseReleased('{', 'events.lock.json'), refused)
  assert.throws(() => parseReleased('{"events":[]}', 'events.lock.json'), refused)
})

test('an optional property more may be released under the same version', () => {
  const Wider = event('test.paid', 1, euros.extend({ note: z.string().optional() }), byUser)
  assert.deepEqual(checkEvents(appOf(Wider), released), { breaches: [], unreleased: ['test.paid v1'] })
})

test('C3 20: a breaking change of a released version is refused, with the place, the reason and what to do', () => {
  const Required = event('test.paid', 1, euros.extend({ currency: z.string() }), byUser)
  const [breach, ...others] = breachesOf(appOf(Required))
  assert.deepEqual(others, [])
  assert.deepEqual(breach, {
    event: 'test.paid',
    version: 1,
    direction: 'backward',
    path: 'currency',
    why: 'what was written is not read: it is not written, and is required',
    remedy: 'Leave v1 as it was, and declare v2 with an upcaster from it.',
  })
})

test('what consumers of the last release could not read is refused', () => {
  const Wider = event('test.paid', 1, euros.extend({ euros: z.number().nullable() }), byUser)
  const [breach] = breachesOf(appOf(Wider))
  assert.equal(breach?.direction, 'forward')
  assert.match(breach?.why ?? '', /the last release does not read what is written: a value of type null/)
})

test('a new version with an upcaster from the released one is compatible, and is to be released', () => {
  assert.deepEqual(checkEvents(appOf(PaidV2), released), { breaches: [], unreleased: ['test.paid v2'] })
  assert.deepEqual(Object.keys(releaseOf(appOf(PaidV2)).events['test.paid'] ?? {}), ['1', '2'])
})

test('a new version without an upcaster is refused', () => {
  const [breach] = breachesOf(appOf(event('test.paid', 2, cents, byUser)))
  assert.match(breach?.why ?? '', /v2 has no upcaster from it/)
  assert.match(breach?.remedy ?? '', /Name v1 as `previous`/)
})

test('an upcaster whose own version became narrower is refused', () => {
  const Narrower = event('test.paid', 1, euros.extend({ euros: z.number().min(1) }), byUser)
  const [breach] = breachesOf(appOf(event('test.paid', 2, cents, { ...byUser, previous: { type: Narrower, upcast } })))
  assert.deepEqual([breach?.path, breach?.direction, breach?.version], ['euros', 'backward', 1])
})

test('an event that is not declared any more is refused', () => {
  const [breach] = breachesOf(appOf(event('test.refunded', 1, cents, byUser)))
  assert.match(breach?.why ?? '', /neither written nor read any more/)
})

test('a schema that JSON has no form for is an error that names the event', () => {
  const Dated = event('test.dated', 1, z.object({ userId: z.int(), at: z.coerce.date() }), byUser)
  assert.throws(() => releaseOf(appOf(Dated)), { code: 'CONTRACTS_SCHEMA_OPAQUE', message: /test.dated v1.*Date/ })
})
