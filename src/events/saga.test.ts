import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { event, newContext, newId, systemClock } from '../core/index.ts'
import { bucketOf, type OpenCluster, systemMigrations, type Transaction } from '../data/index.ts'
import { startTestCluster, until } from '../testing/index.ts'
import {
  beginSaga,
  type EventsRuntime,
  emit,
  eventsMigrations,
  message,
  on,
  saga,
  sagaMissed,
  startEvents,
  viewSaga,
} from './index.ts'
import { isSettled } from './settled-fixture.ts'

const Trip = z.object({ tripId: z.string(), userId: z.int(), nights: z.int() })
type Trip = z.infer<typeof Trip>
const Named = Trip.pick({ tripId: true, userId: true })
const declare = (name: string) => event(name, 1, Named, { key: (trip) => trip.userId })
const [FlightWanted, FlightBooked, FlightFull] = ['flight.wanted', 'flight.booked', 'flight.full'].map(declare) as Three
const [HotelBooked, HotelFull, FlightCancelDue] = ['hotel.booked', 'hotel.full', 'flight.cancel-due'].map(
  declare,
) as Three
const [HotelCancelDue, TripConfirmed, TripRefused] = ['hotel.cancel-due', 'trip.confirmed', 'trip.refused'].map(
  declare,
) as Three
const HotelWanted = event('hotel.wanted', 1, Trip, { key: (trip) => trip.userId })
type Three = [ReturnType<typeof declare>, ReturnType<typeof declare>, ReturnType<typeof declare>]
const COMMANDS = [FlightWanted, HotelWanted, FlightCancelDue, HotelCancelDue, TripConfirmed, TripRefused]

function tripSaga(name: string, flightDeadlineMs?: number) {
  return saga(name, {
    data: Trip,
    id: (trip: { readonly tripId: string }) => trip.tripId,
    key: (trip: { readonly userId: number }) => trip.userId,
    actions: {
      flight: {
        request: (trip) => message(FlightWanted, trip),
        done: FlightBooked,
        failed: FlightFull,
        undo: (trip) => message(FlightCancelDue, trip),
        ...(flightDeadlineMs === undefined ? {} : { deadlineMs: flightDeadlineMs }),
      },
      hotel: {
        request: (trip) => message(HotelWanted, trip),
        done: HotelBooked,
        failed: HotelFull,
        undo: (trip) => message(HotelCancelDue, trip),
      },
    },
    completed: (trip) => message(TripConfirmed, trip),
    failed: (trip) => message(TripRefused, trip),
  })
}

describe('a saga', () => {
  let cluster: OpenCluster
  let stopCluster: () => Promise<void>
  let events: EventsRuntime | undefined
  /** What was emitted for participants, by trip, in order. */
  const told = new Map<string, string[]>()
  const eager = tripSaga('trip')
  const hasty = tripSaga('hasty-trip', 50)

  before(async () => {
    const started = await startTestCluster({ shards: 2, migrations: [systemMigrations, eventsMigrations] })
    cluster = started.cluster
    stopCluster = started.stop
  })
  after(async () => {
    await events?.stop({ deadlineAtMs: systemClock.now() + 5_000 })
    await stopCluster?.()
  })

  const start = async (conducted: typeof eager) => {
    await events?.stop({ deadlineAtMs: systemClock.now() + 5_000 })
    const listen = COMMANDS.map((type) => {
      return on(type as typeof FlightWanted, async ({ type: name, payload: { tripId } }) => {
        told.set(tripId, [...(told.get(tripId) ?? []), name])
      })
    })
    events = await startEvents({
      cluster,
      groups: [
        { name: `conductor-${conducted.name}`, consumers: conducted.consumers },
        { name: 'participants', consumers: listen },
      ],
      owner: 'test',
      sequence: true,
    })
  }
  const newTrip = (userId: number): Trip => ({ tripId: newId(bucketOf(userId)), userId, nights: 3 })
  const begin = (conducted: typeof eager, trips: readonly Trip[]) =>
    cluster.forKey(trips[0]?.userId ?? 0).transaction(async (tx) => {
      for (const trip of trips) beginSaga(tx, conducted, trip, newContext())
    })
  const answer = (type: typeof FlightBooked, { tripId, userId }: Trip) =>
    cluster.forKey(userId).transaction(async (tx) => void emit(tx, type, { tripId, userId }, newContext()))
  const view = (conducted: typeof eager, trip: Trip) => viewSaga(cluster, conducted, trip.tripId)
  const heard = (trip: Trip, count: number) =>
    until(() => (told.get(trip.tripId)?.length ?? 0) >= count, { what: `${count} messages` })
  const settled = (conducted: typeof eager, trip: Trip, entries: number) =>
    until(async () => ((await view(conducted, trip))?.journal.length ?? 0) >= entries, { what: `${entries} entries` })

  test('asks side by side, goes on when all have answered, and can be looked at', async () => {
    await start(eager)
    const trip = newTrip(3)
    await begin(eager, [trip])
    await heard(trip, 2)
    assert.deepEqual(told.get(trip.tripId)?.toSorted(), ['flight.wanted', 'hotel.wanted'])
    await answer(HotelBooked, trip)
    await settled(eager, trip, 1)
    assert.deepEqual((await view(eager, trip))?.actions, [
      { name: 'flight', state: 'asked' },
      { name: 'hotel', state: 'done' },
    ])
    await answer(FlightBooked, trip)
    await heard(trip, 3)
    const shown = await view(eager, trip)
    assert.deepEqual([shown?.status, told.get(trip.tripId)?.[2], shown?.data], ['completed', 'trip.confirmed', trip])
    assert.deepEqual(
      shown?.journal.map(({ action, outcome }) => [action, outcome]),
      [
        ['hotel', 'done'],
        ['flight', 'done'],
      ],
    )
  })

  test('undoes what was done when another action fails', async () => {
    const trip = newTrip(4)
    await begin(eager, [trip])
    await answer(HotelBooked, trip)
    await settled(eager, trip, 1)
    await answer(FlightFull, trip)
    await heard(trip, 4)
    assert.deepEqual(told.get(trip.tripId)?.slice(2).toSorted(), ['hotel.cancel-due', 'trip.refused'])
    assert.equal((await view(eager, trip))?.status, 'failed')
  })

  test('C3 21: an answer that comes after the deadline is undone, once', async () => {
    await start(hasty)
    const trip = newTrip(5)
    await begin(hasty, [trip])
    await settled(hasty, trip, 1)
    assert.deepEqual(
      (await view(hasty, trip))?.journal.map(({ outcome }) => outcome),
      ['late'],
    )
    for (const type of [HotelBooked, FlightBooked, FlightBooked]) await answer(type, trip)
    await settled(hasty, trip, 4)
    const groups = ['conductor-hasty-trip', 'participants']
    await until(() => isSettled(cluster, ({ group }) => groups.includes(group)), { what: 'everything delivered' })
    const cancelled = told.get(trip.tripId)?.filter((name) => name.endsWith('cancel-due'))
    assert.deepEqual(cancelled?.toSorted(), ['flight.cancel-due', 'hotel.cancel-due'])
    assert.deepEqual(
      (await view(hasty, trip))?.actions.map(({ state }) => state),
      ['undone', 'undone'],
    )
  })

  test('a deadline is given up when the answer comes first', async () => {
    const patient = tripSaga('patient-trip', 60_000)
    await start(patient)
    const trip = newTrip(6)
    await begin(patient, [trip])
    const timers = () => cluster.forKey(6).query(`SELECT FROM groundswell.timer WHERE name LIKE 'saga/patient-trip/%'`)
    assert.equal((await timers()).length, 1)
    await answer(FlightBooked, trip)
    await settled(patient, trip, 1)
    assert.equal((await timers()).length, 0)
  })

  test('an answer for a saga that was never begun is passed over and told of', async () => {
    await start(eager)
    const missed: unknown[] = []
    const unsubscribe = sagaMissed.subscribe((fact) => missed.push(fact))
    const [stray, trip] = [newTrip(7), newTrip(7)]
    await answer(FlightBooked, stray)
    await begin(eager, [trip])
    await answer(FlightBooked, trip)
    await settled(eager, trip, 1)
    unsubscribe()
    const told = { saga: 'trip', id: stray.tripId, topic: 'flight.booked', shard: 1 }
    assert.ok(missed.some((fact) => isDeepStrictEqual(fact, told)))
    assert.deepEqual(await cluster.forKey(7).query('SELECT FROM groundswell.parked_event'), [])
  })

  test('a thousand answers of several events cost as many statements as one', async () => {
    await events?.stop({ deadlineAtMs: systemClock.now() + 5_000 })
    events = undefined
    const trips = Array.from({ length: 500 }, () => newTrip(2))
    const patient = tripSaga('patient-trip', 60_000)
    const [apply] = patient.consumers.map((consumer) => consumer.apply as unknown as Apply)
    assert.ok(apply !== undefined && patient.consumers.every((consumer) => consumer.apply === (apply as unknown)))
    const counts = []
    for (const some of [trips.slice(0, 1), trips.slice(1)]) {
      await begin(patient, some)
      counts.push(await statementsOf((tx) => apply(deliveriesOf(some), { tx, cluster })))
    }
    // The planner's settings and the journals; the timers that are given up; just before COMMIT, the outbox.
    assert.deepEqual(counts, [4, 4])
    assert.equal((await view(patient, trips[499] as Trip))?.status, 'completed')
  })

  type Apply = (deliveries: readonly unknown[], context: { tx: Transaction; cluster: OpenCluster }) => Promise<void>

  function deliveriesOf(trips: readonly Trip[]) {
    return [FlightBooked, HotelBooked].flatMap((type) =>
      trips.map((payload) => {
        const { tripId, userId } = payload
        const of = { id: newId(), type: type.name, version: 1, key: String(userId), bucket: bucketOf(userId) }
        return { event: { ...of, payload: { tripId, userId }, traceparent: '', occurredAtMs: 1 }, result: undefined }
      }),
    )
  }

  /** How many statements a transaction runs, all but BEGIN and COMMIT. */
  async function statementsOf(run: (tx: Transaction) => Promise<void>): Promise<number> {
    let count = 0
    await cluster.home.transaction(async (tx) => {
      const counting: Transaction = Object.assign(Object.create(tx), {
        query: (text: string, values?: readonly unknown[]) => {
          count++
          return tx.query(text, values)
        },
        attach: tx.attach.bind(tx),
        beforeCommit: tx.beforeCommit.bind(tx),
        afterCommit: tx.afterCommit.bind(tx),
        shard: tx.shard,
      })
      await run(counting)
    })
    return count
  }
})

test('a saga that cannot work is refused with all its problems', () => {
  const made = (actions: Record<string, object>) => () =>
    saga('trip', {
      data: Trip,
      id: (trip: Trip) => trip.tripId,
      key: (trip: Trip) => trip.userId,
      actions: actions as never,
    })
  assert.throws(made({}), /it has no actions/)
  assert.throws(
    made({ flight: { after: ['visa'], done: FlightBooked } }),
    /flight comes after visa, which is no action/,
  )
  const circle = { flight: { after: ['hotel'], done: FlightBooked }, hotel: { after: ['flight'], done: HotelBooked } }
  assert.throws(made(circle), /flight comes after itself\n- hotel comes after itself/)
  assert.throws(
    made({ flight: { done: FlightBooked }, hotel: { done: HotelBooked, failed: HotelFull, deadlineMs: 0 } }),
    /deadlineMs of hotel is 0.*\n- flight has no undo, but hotel may fail when it is done/,
  )
  assert.throws(
    made({ flight: { done: FlightBooked }, hotel: { done: FlightBooked, undone: HotelFull } }),
    /hotel says how it is undone, but not how to ask for that\n- flight.booked says two things/,
  )
})
