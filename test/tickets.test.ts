import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import tickets from '../examples/tickets/app.ts'
import { openData, startApp } from '../src/runtime/index.ts'
import { until } from '../src/testing/index.ts'

test('the example of the README runs: a ticket is sold, and its buyer gets points', async (context) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'groundswell-tickets-'))
  const env = { DATA_DIR: dataDir, GATEWAY_PORT: '0', ADMIN_PORT: '0', CONSOLE_PORT: '0', SHARDS: '2' }
  const running = await startApp(tickets, { env, log: () => undefined })
  context.after(async () => {
    await running.stop()
    await rm(dataDir, { recursive: true, force: true })
  })
  const answer = await fetch(`${running.addresses.gateway}/tickets`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ userId: 12345 }),
  })
  assert.equal(answer.status, 202)
  assert.equal(((await answer.json()) as { userId: number }).userId, 12345)

  const { cluster, close } = await openData(env)
  const balance = 'SELECT points FROM points.balance WHERE bucket = $1 AND user_id = $2'
  try {
    const [row] = await until(async () => {
      const rows = await cluster.forKey(12345).query<{ points: number }>(balance, [cluster.locate(12345).bucket, 12345])
      return rows.length > 0 && rows
    })
    assert.equal(row?.points, 10)
  } finally {
    await close()
  }
})
