import {
  app,
  beginSaga,
  bucketOf,
  type EventType,
  emit,
  endpoints,
  event,
  handle,
  message,
  newId,
  on,
  problem,
  reply,
  saga,
  service,
  viewSaga,
} from 'groundswell'
import { z } from 'zod'

/** A trip is a flight and a hotel, and a letter when both are booked; or nothing at all. */
const Trip = z.object({ tripId: z.string(), userId: z.int().positive(), nights: z.int().min(1) })
type Trip = z.infer<typeof Trip>
const step = (name: string) => event(name, 1, Trip, { key: (trip) => trip.userId })

const FlightWanted = step('flight.wanted')
const FlightBooked = step('flight.booked')
const FlightUnwanted = step('flight.unwanted')
const FlightCancelled = step('flight.cancelled')
const HotelWanted = step('hotel.wanted')
const HotelBooked = step('hotel.booked')
const HotelFull = step('hotel.full')
const HotelUnwanted = step('hotel.unwanted')
const TripBooked = step('trip.booked')
const LetterSent = step('letter.sent')

const booking = saga('trip', {
  data: Trip,
  id: (trip: Trip) => trip.tripId,
  key: (trip: Trip) => trip.userId,
  actions: {
    flight: {
      request: (trip) => message(FlightWanted, trip),
      done: FlightBooked,
      deadlineMs: 60_000,
      undo: (trip) => message(FlightUnwanted, trip),
      undone: FlightCancelled,
    },
    hotel: {
      request: (trip) => message(HotelWanted, trip),
      done: HotelBooked,
      failed: HotelFull,
      undo: (trip) => message(HotelUnwanted, trip),
    },
    letter: {
      after: ['flight', 'hotel'],
      request: (trip) => message(TripBooked, trip),
      done: LetterSent,
    },
  },
})

const at = endpoints('trip-service')
const bookTrip = at.post('/trips', { body: Trip.omit({ tripId: true }), replies: { 202: Trip } })
const Progress = z.object({ status: z.string(), actions: z.array(z.object({ name: z.string(), state: z.string() })) })
const getTrip = at.get('/trips/:tripId', { params: Trip.pick({ tripId: true }), replies: { 200: Progress } })

const trips = service('trip-service', {
  sagas: [booking],
  emits: [FlightWanted, FlightUnwanted, HotelWanted, HotelUnwanted, TripBooked],
  routes: [
    handle(bookTrip, async ({ body, data, context }) => {
      const trip = { ...body, tripId: newId(bucketOf(body.userId)) }
      await data.forKey(trip.userId).transaction(async (tx) => beginSaga(tx, booking, trip, context))
      return reply(202, trip)
    }),
    handle(getTrip, async ({ params: { tripId }, data }) => {
      const view = await viewSaga(data, booking, tripId)
      if (view === undefined) return problem(404, `there is no trip ${tripId}`, { code: 'TRIP_UNKNOWN' })
      return reply(200, { status: view.status, actions: [...view.actions] })
    }),
  ],
})

/** A participant that answers at once. A real one would write down what it did, or call somebody, first. */
const answers = (asked: EventType<Trip>, answer: (trip: Trip) => EventType<Trip>) =>
  on(asked, async (wanted, { tx }) => void emit(tx, answer(wanted.payload), wanted.payload, wanted))

const flights = service('flight-service', {
  emits: [FlightBooked, FlightCancelled],
  consumers: [answers(FlightWanted, () => FlightBooked), answers(FlightUnwanted, () => FlightCancelled)],
})

const hotels = service('hotel-service', {
  emits: [HotelBooked, HotelFull],
  consumers: [answers(HotelWanted, ({ nights }) => (nights > 14 ? HotelFull : HotelBooked))],
})

const letters = service('letter-service', {
  emits: [LetterSent],
  consumers: [answers(TripBooked, () => LetterSent)],
})

export default app('trips', { services: [trips, flights, hotels, letters] })
