import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { clientOf, run, type ShopProcess, startShop, temporaryDataDir } from './shop-process.ts'

/** Bad input gets an error that says what, where and what to do. */
let shop: ShopProcess
let dataDir: Awaited<ReturnType<typeof temporaryDataDir>>
let buyer: Awaited<ReturnType<typeof clientOf>>
let operator: Awaited<ReturnType<typeof clientOf>>
let userId: number

before(async () => {
  dataDir = await temporaryDataDir()
  shop = await startShop(dataDir.path)
  buyer = await clientOf(shop)
  operator = await clientOf(shop, 'operator')
  userId = (await buyer('POST', '/users', { email: 'nonsense@example.com', name: 'N' })).body.id as number
  assert.equal((await operator('PUT', '/products/chair', { name: 'Chair', priceCents: 100, stock: 5 })).status, 200)
})

after(async () => {
  shop?.signal('SIGTERM')
  await shop?.exited
  await dataDir.remove()
})

const order = (change: Record<string, unknown> = {}) => ({
  userId,
  lines: [{ sku: 'chair', quantity: 1 }],
  cardToken: 'tok_visa',
  ...change,
})

test('malformed JSON is refused with 400', async () => {
  const answer = await buyer('POST', '/orders', '{"userId": 1,')
  assert.equal(answer.status, 400)
  assert.match(answer.headers.get('content-type') ?? '', /application\/problem\+json/)
  assert.equal(typeof answer.body.detail, 'string')
})

test('wrong types and impossible quantities are refused with 422 and name the field', async () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ userId: 'me' }, 'userId'],
    [{ userId: 1.5 }, 'userId'],
    [{ lines: 'chair' }, 'lines'],
    [{ lines: [] }, 'lines'],
    [{ lines: [{ sku: 'chair', quantity: 0 }] }, 'lines.0.quantity'],
    [{ lines: [{ sku: 'chair', quantity: 1_000_000_000 }] }, 'lines.0.quantity'],
    [{ lines: [{ sku: 7, quantity: 1 }] }, 'lines.0.sku'],
    [{ cardToken: null }, 'cardToken'],
  ]
  for (const [change, path] of cases) {
    const answer = await buyer('POST', '/orders', order(change))
    assert.equal(answer.status, 422, JSON.stringify(change))
    const errors = answer.body.errors as { path: string }[]
    assert.ok(
      errors.some((error) => error.path === path),
      `${path} in ${JSON.stringify(errors)}`,
    )
  }
})

test('an unknown user and an unknown product are refused with 422 and named', async () => {
  const noUser = await buyer('POST', '/orders', order({ userId: 999_999_999 }))
  assert.equal(noUser.status, 422)
  assert.match(String(noUser.body.detail), /999999999/)
  const noProduct = await buyer('POST', '/orders', order({ lines: [{ sku: 'no-such-thing', quantity: 1 }] }))
  assert.equal(noProduct.status, 422)
  assert.match(String(noProduct.body.detail), /no-such-thing/)
})

test('a body of 2 MB is refused with 413', async () => {
  const answer = await buyer('POST', '/orders', order({ cardToken: 'x'.repeat(2_000_000) }))
  assert.equal(answer.status, 413)
})

test('a body of another kind is refused with 415', async () => {
  const answer = await buyer('POST', '/orders', '<order/>', { 'content-type': 'application/xml' })
  assert.equal(answer.status, 415)
})

test('a bad cursor and a bad limit are refused with 400 or 422', async () => {
  for (const query of ['cursor=nonsense', 'cursor=%00', 'limit=0', 'limit=1000000', 'limit=x']) {
    const answer = await buyer('GET', `/users/${userId}/orders?${query}`)
    assert.ok([400, 422].includes(answer.status), `${query}: ${answer.status}`)
  }
})

test('what does not exist is 404', async () => {
  for (const path of [
    '/orders/0190b0a0-0000-7000-8000-000000000000',
    '/orders/nonsense',
    '/products/none',
    '/users/77777777/profile',
    '/users/77777777/orders',
  ]) {
    assert.equal((await buyer('GET', path)).status, 404, path)
  }
})

test('a bad e-mail address is refused, a taken one is a conflict', async () => {
  assert.equal((await buyer('POST', '/users', { email: 'nobody', name: 'X' })).status, 422)
  assert.equal((await buyer('POST', '/users', { email: 'nonsense@example.com', name: 'X' })).status, 409)
})

test('a NUL in a text is the client’s mistake, not the server’s', async () => {
  const named = await buyer('POST', '/users', { email: 'nul@example.com', name: 'a\u0000b' })
  assert.equal(named.status, 422)
  const ordered = await buyer('POST', '/orders', order({ lines: [{ sku: 'a\u0000b', quantity: 1 }] }))
  assert.equal(ordered.status, 422)
  assert.equal((await buyer('GET', '/products/a%00b')).status, 400)
})

test('an idempotency key that is no key is refused', async () => {
  assert.equal((await buyer('POST', '/orders', order(), { 'idempotency-key': 'x'.repeat(300) })).status, 400)
})

test('the same idempotency key fifty times at once is one order with fifty equal answers; another body is 422', async () => {
  const headers = { 'idempotency-key': 'fifty-at-once' }
  const answers = await Promise.all(Array.from({ length: 50 }, () => buyer('POST', '/orders', order(), headers)))
  assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [202])
  const [first] = answers
  assert.match(String(first?.body.orderId), /^[0-9a-f-]{36}$/)
  for (const { body, headers: answered } of answers) {
    assert.deepEqual(body, { orderId: first?.body.orderId, status: 'placed' })
    assert.equal(answered.get('location'), `/orders/${first?.body.orderId}`)
  }
  const list = (await buyer('GET', `/users/${userId}/orders`)).body.orders as unknown[]
  assert.equal(list.length, 1)
  const other = await buyer('POST', '/orders', order({ lines: [{ sku: 'chair', quantity: 2 }] }), headers)
  assert.equal(other.status, 422)
})

test('unknown commands and flags are refused with exit code 2 and one line', async () => {
  for (const args of [['start', 'x.ts', '--nope'], ['nope'], ['shards', 'locate'], ['load']]) {
    const result = await run(args)
    assert.equal(result.code, 2, `${args.join(' ')}: ${result.stderr}`)
    assert.doesNotMatch(result.stderr, /\n\s+at /)
  }
})

test('databases that do not answer are named, without their password', async () => {
  const result = await run(['start', 'examples/shop/app.ts'], {
    DATABASE_URLS: 'postgres://shop:secret@127.0.0.1:1/a,postgres://shop:secret@127.0.0.1:1/b',
    GATEWAY_PORT: '0',
    ADMIN_PORT: '0',
    CONSOLE_PORT: '0',
  })
  assert.equal(result.code, 1)
  assert.match(result.stderr, /DATA_UNREACHABLE/)
  assert.match(result.stderr, /127\.0\.0\.1:1\/a.*127\.0\.0\.1:1\/b/s)
  assert.doesNotMatch(result.stderr, /secret/)
})

test('an environment that cannot be used is refused with every problem at once', async () => {
  const result = await run(['start', 'examples/shop/app.ts'], { GATEWAY_PORT: 'eighty', SHARDS: '0' })
  assert.equal(result.code, 1)
  assert.match(result.stderr, /GATEWAY_PORT.*SHARDS/s)
})
