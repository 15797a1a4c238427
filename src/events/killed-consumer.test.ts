import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { z } from 'zod'
import { type ConsumerDeclaration, event, newContext } from '../core/index.ts'
import { type OpenCluster, openCluster, systemMigrations } from '../data/index.ts'
import { startTestCluster, type TestCluster, until } from '../testing/index.ts'
import { type EventsRuntime, emit, eventsMigrations, onBatch, startEvents } from './index.ts'

const Placed = event('test.placed', 1, z.object({ order: z.int() }), { key: (placed) => placed.order })

/** What the child process is asked to do; it is this file, started again. */
type ChildRole = { readonly urls: readonly string[]; readonly group: 'batch' | 'payment' }

const insert = 'INSERT INTO test.effect (grp, order_id) SELECT $1, * FROM unnest($2::int[])'

/** Dies, if it is to, with the first half of a batch written and not the second. */
const batch = (dies: boolean): ConsumerDeclaration =>
  onBatch(Placed, async (deliveries, { tx }) => {
    const orders = deliveries.map((delivery) => delivery.event.payload.order)
    const half = Math.ceil(orders.length / 2)
    await tx.query(insert, ['batch', orders.slice(0, half)])
    if (dies) process.kill(process.pid, 'SIGKILL')
    await tx.query(insert, ['batch', orders.slice(half)])
  })

/** Dies, if it is to, once the provider has charged and before that is recorded. */
const payment = (dies: boolean): ConsumerDeclaration =>
  onBatch(
    Placed,
    async (deliveries, { tx }) => {
      if (dies) process.kill(process.pid, 'SIGKILL')
      await tx.query(insert, ['payment', deliveries.map((delivery) => delivery.event.payload.order)])
    },
    {
      // The provider: it knows each idempotency key once, and counts how often it was asked.
      call: async (placed, { cluster }) => {
        await cluster.home.query(
          `INSERT INTO test.charge AS c (key, asked) VALUES ($1, 1)
           ON CONFLICT (key) DO UPDATE SET asked = c.asked + 1`,
          [placed.id],
        )
        return undefined
      },
    },
  )

function startConsumer(cluster: OpenCluster, group: ChildRole['group'], dies: boolean): Promise<EventsRuntime> {
  const consumers = [group === 'batch' ? batch(dies) : payment(dies)]
  return startEvents({ cluster, groups: [{ name: group, consumers }], owner: 'test', sequence: true })
}

async function runChild({ urls, group }: ChildRole): Promise<void> {
  const cluster = await openCluster({ urls })
  await cluster.loadDirectory()
  await startConsumer(cluster, group, true)
}

const [role] = process.argv.slice(2)
if (role !== undefined) await runChild(JSON.parse(role) as ChildRole)
else
  describe('a consumer that is killed', () => {
    let started: TestCluster
    const children: ChildProcess[] = []

    before(async () => {
      started = await startTestCluster({ shards: 1, migrations: [systemMigrations, eventsMigrations] })
      await started.cluster.home.query('CREATE SCHEMA test')
      await started.cluster.home.query('CREATE TABLE test.effect (grp text, order_id int)')
      await started.cluster.home.query('CREATE TABLE test.charge (key uuid PRIMARY KEY, asked int NOT NULL)')
      await started.cluster.home.transaction(async (tx) => {
        for (let order = 0; order < 100; order++) emit(tx, Placed, { order }, newContext())
      })
    })
    after(async () => {
      for (const child of children) child.kill('SIGKILL')
      await started?.stop()
    })

    const runUntilKilled = async (group: ChildRole['group']) => {
      const child = spawn(process.execPath, [import.meta.filename, JSON.stringify({ urls: started.urls, group })], {
        stdio: ['ignore', 'inherit', 'inherit'],
      })
      children.push(child)
      const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
      assert.equal(signal, 'SIGKILL')
    }
    const orders = async (group: string) => {
      const select = 'SELECT order_id AS "order" FROM test.effect WHERE grp = $1 ORDER BY 1'
      return (await started.cluster.home.query<{ order: number }>(select, [group])).map((row) => row.order)
    }
    const finish = async (group: ChildRole['group']) => {
      const runtime = await startConsumer(started.cluster, group, false)
      await until(async () => (await orders(group)).length >= 100)
      await runtime.stop({ deadlineAtMs: Date.now() + 5_000 })
      assert.deepEqual(
        await orders(group),
        Array.from({ length: 100 }, (_, order) => order),
      )
    }

    test('C3 8: in the middle of a batch leaves no part of it, and the batch is run again whole', async () => {
      await runUntilKilled('batch')
      assert.deepEqual(await orders('batch'), [])
      await finish('batch')
    })

    test('C3 22: between a charge and its record charges again under the same key, so that there is one charge', async () => {
      await runUntilKilled('payment')
      assert.deepEqual(await orders('payment'), [])
      await finish('payment')
      const charges = await started.cluster.home.query<{ asked: number }>('SELECT asked FROM test.charge')
      assert.equal(charges.length, 100)
      assert.ok(
        charges.some(({ asked }) => asked === 2),
        'the provider was asked again',
      )
    })
  })
