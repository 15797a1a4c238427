import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { answerProbe } from '../core/index.ts'
import { type Cluster, openCluster, startEmbeddedPostgres } from '../data/index.ts'
import { until } from '../testing/index.ts'
import { DatabaseWatch } from './database-watch.ts'
import { ProcessHealth } from './health.ts'
import { DATABASE_SILENT_MS } from './limits.ts'

/** A clock that stands until it is moved: how long a database was silent is the test's to say. */
function clockAt(startMs: number) {
  let nowMs = startMs
  return { now: () => nowMs, advance: (durationMs: number) => (nowMs += durationMs) }
}

test('a process is ready once its start is done, and no more once it is asked to stop', () => {
  const health = new ProcessHealth()
  health.starting('applying migrations')
  assert.deepEqual(health.readiness(), { status: 'starting', reason: 'applying migrations' })
  health.started()
  assert.equal(health.readiness().status, 'ready')
  health.draining()
  health.started()
  assert.equal(answerProbe('/readyz', health)?.status, 503)
})

test('databases that stop make a process unready, and ready again when they are back', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-health-'))
  const dataDir = join(folder, 'postgres')
  const stop = { deadlineAtMs: Date.now() + 60_000 }
  const first = await startEmbeddedPostgres({ dataDir, shards: 2 })
  const cluster = await openCluster({ urls: first.urls })
  const clock = clockAt(0)
  const health = new ProcessHealth()
  const unwatch = health.watch(new DatabaseWatch({ shards: cluster.shards, clock, checkMs: 5 }))
  health.started()
  try {
    clock.advance(DATABASE_SILENT_MS + 1)
    await until(() => health.readiness().status === 'ready', { what: 'ready while the databases answer' })
    await first.stop(stop)
    // Answers that were under way have arrived once time that passes is not made up for any more.
    await until(() => clock.advance(DATABASE_SILENT_MS + 1) && health.readiness().status === 'unavailable')
    assert.match(JSON.stringify(health.readiness()), /no database answers: shard 0 .*shard_0.*shard 1/)

    const second = await startEmbeddedPostgres({ dataDir, shards: 2, port: first.port })
    await until(() => health.readiness().status === 'ready', { what: 'ready again' })
    await unwatch(stop)
    await cluster.close(stop)
    await second.stop(stop)
  } finally {
    await unwatch(stop)
    await cluster.close(stop)
    await rm(folder, { recursive: true, force: true })
  }
})

test('one silent shard of several leaves a process ready, and says so', async () => {
  const answers = { index: 0, label: 'here', query: async () => [] }
  const hangs = { index: 1, label: 'gone', query: () => new Promise<never>(() => undefined) }
  const clock = clockAt(0)
  const health = new ProcessHealth()
  const shards = [answers, hangs] as unknown as Cluster['shards']
  const unwatch = health.watch(new DatabaseWatch({ shards, clock, checkMs: 1 }))
  health.started()
  clock.advance(DATABASE_SILENT_MS + 1_000)
  await until(() =>
    JSON.stringify(health.readiness()).match(/"degraded":\["shard 1 \(gone\) has been silent for 6 s"\]/),
  )
  await unwatch({ deadlineAtMs: 0 })
})
