import { endpoints } from 'groundswell'
import { z } from 'zod'

const at = endpoints('email-service')

export const listMailbox = at.get('/mailbox', {
  summary: 'The dev mailbox: what was sent, newest first',
  query: z.object({
    limit: z.coerce.number().int().min(1).max(1_000).default(50),
    to: z.string().toLowerCase().max(254).optional(),
    orderId: z.uuid().optional(),
  }),
  replies: {
    200: z.object({
      messages: z.array(
        z.object({
          eventId: z.string(),
          orderId: z.string(),
          to: z.string(),
          subject: z.string(),
          body: z.string(),
          sentAt: z.iso.datetime(),
        }),
      ),
    }),
  },
})
