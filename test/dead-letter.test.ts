import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { until } from '../src/testing/index.ts'
import {
  askEveryShard,
  clientOf,
  databaseUrlsOf,
  run,
  type ShopProcess,
  startShop,
  temporaryDataDir,
} from './shop-process.ts'

/** An order whose charge keeps failing, from the dead letter through the repair to its end. */
let shop: ShopProcess
let dataDir: Awaited<ReturnType<typeof temporaryDataDir>>
let buyer: Awaited<ReturnType<typeof clientOf>>

before(async () => {
  dataDir = await temporaryDataDir()
  shop = await startShop(dataDir.path, { env: { EVENTS_ATTEMPTS_MAX: '4' } })
  buyer = await clientOf(shop)
})

after(async () => {
  shop?.signal('SIGTERM')
  await shop?.exited
  await dataDir.remove()
})

test('an order whose charge is a dead letter stays placed, and ends shipped once that is repaired and redriven', async () => {
  const [unlucky, other] = [await signUp('unlucky'), await signUp('other')]
  const stuck = await place(unlucky, 'tok_fail')
  const behind = await place(unlucky, 'tok_visa')
  const elsewhere = await place(other, 'tok_visa')
  await until(async () => (await statusOf(elsewhere)) === 'shipped', { what: 'the order of another customer shipped' })

  const urls = await databaseUrlsOf(dataDir.path)
  // Asked of PostgreSQL, since a process for each look would slow down what it waits for.
  const dead = `SELECT FROM groundswell.parked_event WHERE state = 'dead'`
  await until(async () => (await askEveryShard(urls, dead)).flat().length > 0, {
    timeoutMs: 90_000,
    what: 'a dead letter after the last attempt',
  })
  const [letter, ...more] = await events<Letter[]>('dlq')
  assert.deepEqual(more, [])
  assert.equal(letter?.group, 'payment-service')
  assert.equal(letter.topic, 'order.placed')
  assert.equal(letter.payload.orderId, stuck)
  assert.equal(letter.waiting, 1)
  assert.match(letter.error, /failed to charge tok_fail/)
  assert.deepEqual([await statusOf(stuck), await statusOf(behind)], ['placed', 'placed'])
  const ofPayments = { group: 'payment-service', topic: 'order.placed' }
  const { parked } = await events<Lag>('lag')
  assert.deepEqual(parked, [{ ...ofPayments, retrying: 0, waiting: 1, dead: 1, attempts: 0 }])
  const shown = await run(['events', 'lag'], { DATA_DIR: dataDir.path })
  assert.match(shown.stdout, /\nRead, and not processed yet:\nGROUP .*\npayment-service +order\.placed +0 +1 +1\n/)

  // The provider repairs its side; nothing happens until somebody redrives.
  await askEveryShard(urls, 'UPDATE payment_provider.charge SET recovers = true WHERE idempotency_key = $1', [
    letter.id,
  ])
  assert.deepEqual(await events('redrive'), { total: 1, groups: { 'payment-service': 1 } })
  for (const orderId of [stuck, behind]) {
    await until(async () => (await statusOf(orderId)) === 'shipped', { what: `order ${orderId} shipped` })
  }
  assert.deepEqual(await events('dlq'), [])
  await until(async () => {
    const { groups, outbox } = await events<Lag>('lag')
    return groups.every(({ lag }) => lag === 0) && outbox.every((depth) => depth.events === 0)
  })
  const charged = await askEveryShard(urls, `SELECT FROM payment_provider.charge WHERE state = 'charged'`)
  assert.equal(charged.flat().length, 3, 'each of the three orders was charged once')
})

type Letter = {
  readonly group: string
  readonly topic: string
  readonly id: string
  readonly payload: { readonly orderId: string }
  readonly waiting: number
  readonly error: string
}

type Lag = {
  readonly groups: readonly { lag: number }[]
  readonly outbox: readonly { events: number }[]
  readonly parked: readonly object[]
}

/** What `groundswell events … --json` says. */
async function events<Answer>(command: 'dlq' | 'redrive' | 'lag'): Promise<Answer> {
  const { code, stdout, stderr } = await run(['events', command, '--json'], { DATA_DIR: dataDir.path })
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Answer
}

async function signUp(name: string): Promise<number> {
  return (await buyer('POST', '/users', { email: `${name}@example.com`, name })).body.id as number
}

async function place(userId: number, cardToken: string): Promise<string> {
  const placed = await buyer('POST', '/orders', { userId, lines: [{ sku: 'poncho', quantity: 1 }], cardToken })
  assert.equal(placed.status, 202)
  return placed.body.orderId as string
}

async function statusOf(orderId: string): Promise<unknown> {
  return (await buyer('GET', `/orders/${orderId}`)).body.status
}
