import assert from 'node:assert/strict'
import { test } from 'node:test'
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
      const tables = await askEveryShard<{ users: string; profiles: string }>(
        urls,
        `SELECT (SELECT count(*) FROM users.users WHERE user_id = $1) AS users,
                (SELECT count(*) FROM profiles.profile WHERE user_id = $1) AS profiles`,
        [userId],
      )
      assert.deepEqual(
        tables.map(([row]) => [row?.users, row?.profiles]),
        [
          ['0', '0'],
          ['1', '1'],
          ['0', '0'],
          ['0', '0'],
        ],
      )
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
