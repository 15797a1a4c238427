import { app, bucketOf, emit, endpoints, event, handle, newId, on, reply, service } from 'groundswell'
import { z } from 'zod'

const Ticket = z.object({ ticketId: z.string(), userId: z.int().positive() })
const TicketSold = event('ticket.sold', 1, Ticket, { key: (ticket) => ticket.userId })

const buyTicket = endpoints('ticket-service').post('/tickets', {
  body: Ticket.pick({ userId: true }),
  replies: { 202: Ticket },
})

const tickets = service('ticket-service', {
  migrations: new URL('./migrations/tickets/', import.meta.url),
  emits: [TicketSold],
  routes: [
    handle(buyTicket, async ({ body: { userId }, data, context }) => {
      const ticket = { userId, ticketId: newId(bucketOf(userId)) }
      await data.forKey(userId).transaction(async (tx) => {
        const values = [bucketOf(userId), userId, ticket.ticketId]
        await tx.query('INSERT INTO tickets.tickets (bucket, user_id, ticket_id) VALUES ($1, $2, $3)', values)
        emit(tx, TicketSold, ticket, context)
      })
      return reply(202, ticket)
    }),
  ],
})

const points = service('points-service', {
  migrations: new URL('./migrations/points/', import.meta.url),
  consumers: [
    on(TicketSold, async ({ bucket, payload: { userId } }, { tx }) => {
      await tx.query('SELECT points.add($1, $2, 10)', [bucket, userId])
    }),
  ],
})

export default app('tickets', { services: [tickets, points] })
