import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { z } from 'zod'
import { type ConsumerTarget, event, newContext } from '../core/index.ts'
import { type OpenCluster, openCluster, systemMigrations } from '../data/index.ts'
import { startTestCluster, until } from '../testing/index.ts'
import { delivered, type EventsRuntime, emit, eventsMigrations, lag, onBatch, startEvents } from './index.ts'
import { isSettled } from './settled-fixture.ts'

const Tick = event('test.tick', 1, z.object({ account: z.int(), serial: z.int() }), { key: (tick) => tick.account })

/** What the child process is asked to do; it is this file, started again. */
type ChildRole = {
  readonly urls: readonly string[]
  readonly group: string
  readonly target: ConsumerTarget
  readonly dies: boolean
}

function startConsumer(cluster: OpenCluster, group: string, target: ConsumerTarget): Promise<EventsRuntime> {
  const consumer = onBatch(
    Tick,
    async (deliveries, { tx }) => {
      await tx.query(
        `INSERT INTO test.effect (grp, account, serial) SELECT $1, e.* FROM unnest($2::int[], $3::int[]) AS e`,
        [
          group,
          deliveries.map((delivery) => delivery.event.payload.account),
          deliveries.map((delivery) => delivery.event.payload.serial),
        ],
      )
    },
    { target },
  )
  return startEvents({ cluster, groups: [{ name: group, consumers: [consumer] }], owner: 'test', sequence: true })
}

async function runChild({ urls, group, target, dies }: ChildRole): Promise<void> {
  const cluster = await openCluster({ urls })
  await cluster.loadDirectory()
  // The fact is published after the target's commit and before the position of the source is written.
  delivered.subscribe((fact) => {
    if (dies && fact.target !== fact.source) process.kill(process.pid, 'SIGKILL')
  })
  await startConsumer(cluster, group, target)
  process.send?.('ready')
}

const [role] = process.argv.slice(2)
if (role !== undefined) await runChild(JSON.parse(role) as ChildRole)
else
  describe('recovery', () => {
    let stopCluster: () => Promise<void>
    let cluster: OpenCluster
    let urls: readonly string[]
    const children: ChildProcess[] = []

    before(async () => {
      const started = await startTestCluster({ shards: 2, migrations: [systemMigrations, eventsMigrations] })
      ;({ cluster, urls } = started)
      stopCluster = started.stop
      for (const shard of cluster.shards) {
        await shard.query('CREATE SCHEMA test')
        await shard.query('CREATE TABLE test.effect (seq bigserial, grp text, account int, serial int)')
      }
    })
    after(async () => {
      for (const child of children) child.kill('SIGKILL')
      await stopCluster?.()
    })

    const startChild = async (child: Omit<ChildRole, 'urls'>): Promise<ChildProcess> => {
      const started = spawn(process.execPath, [import.meta.filename, JSON.stringify({ urls, ...child })], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      children.push(started)
      await once(started, 'message')
      return started
    }
    const write = (shard: number, count: number, from = 0) =>
      cluster.shards[shard]?.transaction(async (tx) => {
        for (let serial = from; serial < from + count; serial++)
          emit(tx, Tick, { account: shard, serial }, newContext())
      })
    const effects = (shard: number, group: string) =>
      cluster.shards[shard]?.query<{ serial: number }>('SELECT serial FROM test.effect WHERE grp = $1 ORDER BY seq', [
        group,
      ]) ?? Promise.resolve([])
    const noLag = (group: string) => until(() => isSettled(cluster, (row) => row.group === group))
    const serials = (count: number) => Array.from({ length: count }, (_, serial) => serial)

    test('C3 7: a process killed between its commit on the target and that on the source repeats no effect', async () => {
      const child = await startChild({ group: 'remote', target: 'home', dies: true })
      await write(1, 50)
      await once(child, 'exit')
      assert.equal((await effects(0, 'remote')).length, 50)
      const behind = (await lag(cluster)).find((row) => row.group === 'remote' && row.shard === 1)
      assert.equal(behind?.committed, 0, 'the position was not written')

      const runtime = await startConsumer(cluster, 'remote', 'home')
      await write(1, 50, 50)
      await until(async () => (await effects(0, 'remote')).length >= 100, { timeoutMs: 20_000 })
      await noLag('remote')
      await runtime.stop({ deadlineAtMs: Date.now() + 5_000 })
      assert.deepEqual(
        (await effects(0, 'remote')).map((row) => row.serial),
        serials(100),
      )
    })

    test('a killed process is taken over, with each effect once and in order', async () => {
      const child = await startChild({ group: 'taken', target: 'key', dies: false })
      const runtime = await startConsumer(cluster, 'taken', 'key')
      const writing = (async () => {
        for (let from = 100; from < 2_000; from += 100) await write(1, 100, from)
      })()
      await until(async () => (await effects(1, 'taken')).length > 100)
      child.kill('SIGKILL')
      await writing
      await until(async () => (await effects(1, 'taken')).length >= 2_000, { timeoutMs: 20_000 })
      await noLag('taken')
      await runtime.stop({ deadlineAtMs: Date.now() + 5_000 })
      assert.deepEqual(
        (await effects(1, 'taken')).map((row) => row.serial),
        serials(2_000),
      )
    })

    test('C3 13: connections that break delay events, repeat none and park none', async () => {
      const cut = () =>
        cluster.home.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
        )
      const known = (await lag(cluster)).find((row) => row.shard === 0)?.end ?? 0
      for (let from = 0; from < 20_000; from += 1_000) await write(0, 1_000, from)
      const runtime = await startConsumer(cluster, 'cut-off', 'key')
      let seen = 0
      for (let cuts = 0; cuts < 5; cuts++) {
        seen = await until(async () => {
          const now = (await effects(0, 'cut-off').catch(() => [])).length
          return now > seen || now >= known + 20_000 ? now : 0
        })
        // The pool may hand out a connection that an earlier cut has broken.
        await Promise.allSettled([cut()])
      }
      await until(async () => (await effects(0, 'cut-off')).length >= known + 20_000, { timeoutMs: 30_000 })
      await runtime.stop({ deadlineAtMs: Date.now() + 5_000 })
      assert.deepEqual(
        (await effects(0, 'cut-off')).slice(known).map((row) => row.serial),
        serials(20_000),
      )
      assert.equal((await cluster.home.query('SELECT FROM groundswell.parked_event')).length, 0)
    })

    test('C3 14: processes that come and go lose nothing and repeat no effect', async () => {
      const group = 'come-and-go'
      const from = (await lag(cluster)).find((row) => row.shard === 1)?.end ?? 0
      const staying = await startConsumer(cluster, group, 'key')
      let written = 0
      for (let round = 0; round < 4; round++) {
        const joining = await startConsumer(cluster, group, 'key')
        await write(1, 200, written)
        await until(async () => (await effects(1, group)).length > from + written)
        await write(1, 200, written + 200)
        await joining.stop({ deadlineAtMs: Date.now() + 5_000 })
        written += 400
      }
      await until(async () => (await effects(1, group)).length >= from + written)
      await noLag(group)
      await staying.stop({ deadlineAtMs: Date.now() + 5_000 })
      assert.deepEqual(
        (await effects(1, group)).slice(from).map((row) => row.serial),
        serials(written),
      )
    })

    test('a process that stops gives its shards away at once', async () => {
      const first = await startConsumer(cluster, 'given', 'key')
      await first.stop({ deadlineAtMs: Date.now() + 5_000 })
      const held = await cluster.home.query('SELECT FROM groundswell.lease WHERE expires_at > clock_timestamp()')
      assert.deepEqual(held, [])
    })
  })
