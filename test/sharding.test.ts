import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../src/testing/index.ts'
import { askEveryShard, clientOf, databaseUrlsOf, run, startShop, temporaryDataDir } from './shop-process.ts'

test('users 12345 and 54321 live on shard 1 of 4 and on no other, as PostgreSQL itself says', async () => {
  const dataDir = await temporaryDataDir()
  try {
    const first = await startShop(dataDir.path)
    const urls = await databaseUrlsOf(dataDir.path)
    for (const userId of [12_345, 54_321]) {
      const client = await clientOf(first)
      await askEveryShard(urls.slice(0, 1), `SELECT setval('users.user_id', $1, false)`, [userId - 100])
      const created = await signUpUntil(client, userId)
      assert.equal(created, userId)
      const profile = { displayName: `User ${userId}` }
      assert.equal((await client('PUT', `/users/${userId}/profile`, profile)).status, 200)
      await orderUntilShipped(client, userId)
      assert.deepEqual(await tablesWithRowsOf(urls, userId), [
        [],
        [
          'orders.customer',
          'orders.orders',
          'payments.payment',
          'profiles.profile',
          'shipping.shipment',
          'users.users',
        ],
        [],
        [],
      ])
      assert.equal(await claimsOf(urls, userId), 1)
    }
    const located = await run(['shards', 'locate', '12345', '--json'], { DATA_DIR: dataDir.path })
    assert.equal(located.code, 0, located.stderr)
    assert.match(located.stdout, /"shard":\s*1\b/)
    first.signal('SIGTERM')
    assert.equal(await first.exited, 0)
  } finally {
    await dataDir.remove()
  }
})

test('the command line says where a user lives, also when nothing runs', async () => {
  const dataDir = await temporaryDataDir()
  try {
    const located = await run(['shards', 'locate', '12345'], { DATA_DIR: dataDir.path })
    assert.equal(located.code, 0, located.stderr)
    assert.match(located.stdout, /shard 1\b/)
  } finally {
    await dataDir.remove()
  }
})

async function orderUntilShipped(client: Awaited<ReturnType<typeof clientOf>>, userId: number): Promise<void> {
  const order = { userId, lines: [{ sku: 'poncho', quantity: 1 }], cardToken: 'tok_visa' }
  const placed = await client('POST', '/orders', order)
  assert.equal(placed.status, 202)
  await until(async () => (await client('GET', `/orders/${placed.body.orderId}`)).body.status === 'shipped')
}

/** The one table whose rows of a user are on another shard: that of the e-mail address, which must be unique. */
const BY_EMAIL = 'users.email_claim'

/** Which tables of each shard hold rows of a user, of all that have a column `user_id`, as PostgreSQL lists them. */
async function tablesWithRowsOf(urls: readonly string[], userId: number): Promise<string[][]> {
  const listed = await askEveryShard<{ name: string }>(
    urls,
    `SELECT format('%I.%I', table_schema, table_name) AS name
     FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
     WHERE column_name = 'user_id' AND table_type = 'BASE TABLE' ORDER BY 1`,
  )
  return Promise.all(
    listed.map(async (tables, shard) => {
      const names = tables.map(({ name }) => name).filter((name) => name !== BY_EMAIL)
      assert.equal(names.length, tables.length - 1, 'every shard has all tables')
      const counts = names.map(
        (name) => `SELECT '${name}' AS name WHERE EXISTS (SELECT FROM ${name} WHERE user_id = $1)`,
      )
      const found = await askEveryShard<{ name: string }>(
        urls.slice(shard, shard + 1),
        `${counts.join(' UNION ALL ')} ORDER BY 1`,
        [userId],
      )
      return found.flat().map(({ name }) => name)
    }),
  )
}

/** Claims of a user's address over all shards. */
async function claimsOf(urls: readonly string[], userId: number): Promise<number> {
  const rows = await askEveryShard(urls, `SELECT FROM ${BY_EMAIL} WHERE user_id = $1`, [userId])
  return rows.flat().length
}

/**
 * Signs people up until one gets the id: ids are handed out in blocks, so the sequence alone does not say which is
 * next.
 */
async function signUpUntil(client: Awaited<ReturnType<typeof clientOf>>, userId: number): Promise<number> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const created = await client('POST', '/users', { email: `block-${userId}-${attempt}@example.com`, name: 'Block' })
    assert.equal(created.status, 201)
    if (created.body.id === userId) return userId
  }
  return 0
}
