import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type SmtpSink, startSmtpSink } from '../examples/shop/email/smtp-sink-fixture.ts'
import { until } from '../src/testing/index.ts'
import {
  askEveryShard,
  clientOf,
  databaseUrlsOf,
  type ShopProcess,
  startShop,
  temporaryDataDir,
} from './shop-process.ts'

/** The shop as its customers see it: through the gateway, the mailbox and the mail that reaches them. */
let shop: ShopProcess
let dataDir: Awaited<ReturnType<typeof temporaryDataDir>>
let buyer: Awaited<ReturnType<typeof clientOf>>
let operator: Awaited<ReturnType<typeof clientOf>>
let sink: SmtpSink

before(async () => {
  sink = await startSmtpSink()
  dataDir = await temporaryDataDir()
  shop = await startShop(dataDir.path, { env: { SMTP_URL: sink.url } })
  buyer = await clientOf(shop)
  operator = await clientOf(shop, 'operator')
})

after(async () => {
  shop?.signal('SIGTERM')
  await shop?.exited
  await sink?.stop()
  await dataDir.remove()
})

test('an order can be followed by its Location until it is shipped', async () => {
  const placed = await place(await signUp('located'), { cardToken: 'tok_visa' })
  const order = await ended(placed.location)
  assert.equal(order.orderId, placed.orderId)
  assert.equal(order.status, 'shipped')
})

test('a slow charge, and one that fails at first, end shipped', async () => {
  const userId = await signUp('patient')
  for (const cardToken of ['tok_slow', 'tok_fail_once']) {
    const { location } = await place(userId, { cardToken })
    assert.equal((await ended(location)).status, 'shipped', cardToken)
  }
  assert.deepEqual(await charges(userId), ['charged', 'charged'])
})

test('a declined card ends the order as payment_declined, takes no money and gives the stock back', async () => {
  const product = { name: 'Skimboard', priceCents: 9_900, stock: 7 }
  assert.equal((await operator('PUT', '/products/skimboard', product)).status, 200)
  const userId = await signUp('declined')
  const { location } = await place(userId, { cardToken: 'tok_declined', sku: 'skimboard', quantity: 3 })
  const order = await ended(location)
  assert.deepEqual([order.status, order.reason], ['rejected', 'payment_declined'])
  await until(async () => (await buyer('GET', '/products/skimboard')).body.stock === 7, { what: 'the stock is back' })
  assert.deepEqual(await charges(userId), ['declined'])
})

test('a sold out order that was charged gets its money back', async () => {
  const product = { name: 'Last one', priceCents: 100, stock: 1 }
  assert.equal((await operator('PUT', '/products/last-one', product)).status, 200)
  const userId = await signUp('too-late')
  const { location } = await place(userId, { cardToken: 'tok_visa', sku: 'last-one', quantity: 2 })
  const order = await ended(location)
  assert.deepEqual([order.status, order.reason], ['rejected', 'sold_out'])
  // Either the rejection was first and nothing was charged, or the charge is refunded.
  await until(async () => !(await charges(userId)).includes('charged'), { what: 'no money kept' })
  assert.equal((await buyer('GET', '/products/last-one')).body.stock, 1)
})

test('a customer’s orders come in pages, newest first, none twice', async () => {
  const userId = await signUp('regular')
  const placed: string[] = []
  for (let count = 0; count < 5; count++) placed.push((await place(userId, { cardToken: 'tok_visa' })).orderId)
  const pages = await pagesOf<{ orderId: string }>(`/users/${userId}/orders?limit=2`, 'orders')
  assert.deepEqual(
    pages.map((page) => page.map(({ orderId }) => orderId)),
    [[placed[4], placed[3]], [placed[2], placed[1]], [placed[0]]],
  )
})

test('products come in pages, by SKU, none twice', async () => {
  const [all] = await pagesOf<{ sku: string }>('/products?limit=100', 'products')
  const skus = all?.map(({ sku }) => sku) ?? []
  assert.ok(skus.length >= 12)
  assert.deepEqual(skus, [...new Set(skus)].sort())
  const pages = await pagesOf<{ sku: string }>('/products?limit=5', 'products')
  assert.deepEqual(
    pages.flat().map(({ sku }) => sku),
    skus,
  )
  assert.ok(pages.slice(0, -1).every((page) => page.length === 5))
})

test('a customer without orders has an empty list, and one who does not exist has none', async () => {
  const list = await buyer('GET', `/users/${await signUp('window-shopper')}/orders`)
  assert.deepEqual([list.status, list.body], [200, { orders: [] }])
  const nobody = await buyer('GET', '/users/88888888/orders')
  assert.deepEqual([nobody.status, nobody.body.code], [404, 'USER_UNKNOWN'])
})

test('every letter is in the mailbox on the console’s port, and went out by SMTP once, though a connection was cut', async () => {
  sink.dropNext(2)
  const userId = await signUp('letters')
  const { orderId, location } = await place(userId, { cardToken: 'tok_declined' })
  await ended(location)
  const letters = await until(async () => {
    const messages = await mailbox(`orderId=${orderId}`)
    return messages.length === 2 && messages
  })
  assert.deepEqual(
    letters.map(({ to, subject }) => [to, subject]),
    [
      ['letters@example.com', `We are sorry about your order ${orderId}`],
      ['letters@example.com', `We have your order ${orderId}`],
    ],
  )
  // Of every order of this file: a letter is in the mailbox once it was sent.
  const all = await until(async () => {
    const messages = await mailbox('limit=1000')
    return messages.length === sink.accepted.length && messages
  })
  const idsOf = (mails: readonly { messageId: string }[]) => mails.map(({ messageId }) => messageId).sort()
  const expected = all.map(({ eventId }) => ({ messageId: `<${eventId}@shop.example>` }))
  assert.deepEqual(idsOf(sink.accepted), idsOf(expected))
  assert.equal(sink.dropped.length, 2)
  assert.ok(
    idsOf(sink.dropped).every((id) => idsOf(sink.accepted).includes(id)),
    'sent again under the same Message-ID',
  )
})

type Message = { readonly eventId: string; readonly to: string; readonly subject: string }

async function mailbox(query: string): Promise<readonly Message[]> {
  const response = await fetch(`${shop.console}/mailbox?${query}`)
  assert.equal(response.status, 200)
  return ((await response.json()) as { messages: Message[] }).messages
}

async function signUp(name: string): Promise<number> {
  const created = await buyer('POST', '/users', { email: `${name}@example.com`, name })
  assert.equal(created.status, 201)
  return created.body.id as number
}

type Wish = { readonly cardToken: string; readonly sku?: string; readonly quantity?: number }

async function place(userId: number, { cardToken, sku = 'poncho', quantity = 1 }: Wish) {
  const placed = await buyer('POST', '/orders', { userId, lines: [{ sku, quantity }], cardToken })
  assert.equal(placed.status, 202)
  return { orderId: placed.body.orderId as string, location: placed.headers.get('location') ?? '' }
}

/** The order at `location`, once it is in a final state. */
function ended(location: string): Promise<Record<string, unknown>> {
  return until(async () => {
    const { body } = await buyer('GET', location)
    return (body.status === 'shipped' || body.status === 'rejected') && body
  })
}

/** Follows the cursors from the first page to the last. */
async function pagesOf<Entry>(path: string, member: string): Promise<Entry[][]> {
  const pages: Entry[][] = []
  let cursor: unknown
  do {
    const { status, body } = await buyer('GET', cursor === undefined ? path : `${path}&cursor=${cursor}`)
    assert.equal(status, 200)
    pages.push(body[member] as Entry[])
    cursor = body.nextCursor
  } while (cursor !== undefined && pages.length < 100)
  return pages
}

/** What the provider's books say about a user: ids of these users are far below the number of buckets. */
async function charges(userId: number): Promise<string[]> {
  const urls = await databaseUrlsOf(dataDir.path)
  const text = 'SELECT state FROM payment_provider.charge WHERE bucket = $1'
  return (await askEveryShard<{ state: string }>(urls, text, [userId])).flat().map(({ state }) => state)
}
