import {
  bucketOf,
  type Cluster,
  type ConsumerContext,
  type Delivery,
  type EventType,
  handle,
  onBatch,
  reply,
  service,
} from 'groundswell'
import { OrderPlaced, OrderRejected } from '../orders/contract.ts'
import { listMailbox } from './contract.ts'
import { type Letter, orderReceived, orderRejected } from './letters.ts'
import { openPostOffice, type PostOffice } from './post-office.ts'

/** Tells customers what became of their orders: by SMTP if there is a server for it; in the dev mailbox in any case. */
export function emailService(options: { readonly smtpUrl: string | undefined }) {
  const postOffice = options.smtpUrl === undefined ? undefined : openPostOffice(options.smtpUrl)
  return service('email-service', {
    summary: 'Tells customers what became of their orders',
    migrations: new URL('./migrations/', import.meta.url),
    consumers: [letterOn(OrderPlaced, orderReceived, postOffice), letterOn(OrderRejected, orderRejected, postOffice)],
    consoleRoutes: [
      handle(listMailbox, async ({ query, data }) => reply(200, { messages: await readMailbox(data, query) })),
    ],
  })
}

type OrderEvent = { readonly orderId: string; readonly userId: number }

/** A consumer that writes a letter about each event: sends it first, then records that it did. */
function letterOn<Payload extends OrderEvent>(
  type: EventType<Payload>,
  write: (payload: Payload) => Letter,
  postOffice: PostOffice | undefined,
) {
  const record = (deliveries: readonly Delivery<Payload, unknown>[], { tx }: ConsumerContext): Promise<unknown> => {
    const letters = deliveries.map(({ event }) => write(event.payload))
    return tx.query(RECORD, [
      deliveries.map(({ event }) => bucketOf(event.payload.userId)),
      deliveries.map(({ event }) => event.id),
      deliveries.map(({ event }) => event.payload.orderId),
      letters.map(({ to }) => to),
      letters.map(({ subject }) => subject),
      letters.map(({ body }) => body),
    ])
  }
  if (postOffice === undefined) {
    return onBatch(type, async (deliveries, context) => void (await record(deliveries, context)))
  }
  return onBatch<Payload, void>(type, async (deliveries, context) => void (await record(deliveries, context)), {
    call: (event) => postOffice.send(event.id, write(event.payload)),
  })
}

type MailboxQuery = { readonly limit: number; readonly to?: string | undefined; readonly orderId?: string | undefined }

type MessageRow = Letter & { readonly eventId: string; readonly orderId: string; readonly sentAt: Date }

/** Newest first, over all shards: event ids sort by time. Reads the whole table, which a dev mailbox may. */
async function readMailbox(data: Cluster, { limit, to, orderId }: MailboxQuery) {
  const rows = await data.scatter<MessageRow>({
    text: READ_MAILBOX,
    values: [to ?? null, orderId ?? null, limit],
    orderBy: [{ column: 'eventId', direction: 'desc' }],
    limit,
  })
  return rows.map((row) => ({ ...row, sentAt: row.sentAt.toISOString() }))
}

/** An operator may have events replayed: a letter that was recorded stays as it is. */
const RECORD = `
  INSERT INTO email.message (bucket, event_id, order_id, recipient, subject, body)
  SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[])
  ON CONFLICT (event_id, bucket) DO NOTHING`

const READ_MAILBOX = `
  SELECT event_id AS "eventId", order_id AS "orderId", recipient AS "to", subject, body, sent_at AS "sentAt"
  FROM email.message
  WHERE ($1::text IS NULL OR recipient = $1) AND ($2::uuid IS NULL OR order_id = $2)
  ORDER BY event_id DESC LIMIT $3`
