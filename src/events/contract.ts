import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { z } from 'zod'
import { delay, event, newContext, systemClock } from '../core/index.ts'
import type { OpenCluster, Shard, Transaction } from '../data/index.ts'
import { type Delivery, onBatch } from './consumer.ts'
import { emit } from './emit.ts'
import { lag } from './operations.ts'
import { type EventsRuntime, startEvents } from './runtime.ts'

/**
 * What every event log promises, run against real engines: exactly the committed events, in the order of their key,
 * each effect once, and nobody waits for a stranger's transaction.
 */
export type EventLogEngine = {
  readonly name: string
  /** A cluster of two shards, empty but for the engine's tables. */
  start(): Promise<{ readonly cluster: OpenCluster; stop(): Promise<void> }>
  /** Polls until the condition holds; rejects when it never does. */
  until<T>(condition: () => T | Promise<T>, options?: { timeoutMs?: number; what?: string }): Promise<T>
}

const Step = event('contract.step', 1, z.object({ account: z.int(), step: z.int() }), { key: (step) => step.account })
type Step = z.infer<typeof Step.schema>

const ACCOUNTS = 8
const GROUP = 'contract-readers'

/** Registers the suite with node:test. */
export function eventLogContract(engine: EventLogEngine): void {
  describe(`event log: ${engine.name}`, () => {
    let cluster: OpenCluster
    let stopEngine: () => Promise<void>
    let events: EventsRuntime

    before(async () => {
      const started = await engine.start()
      cluster = started.cluster
      stopEngine = started.stop
      for (const shard of cluster.shards) await createTables(shard)
      events = await startEvents({
        cluster,
        groups: [{ name: GROUP, consumers: [onBatch(Step, record)] }],
        owner: 'contract',
        sequence: true,
      })
    })

    after(async () => {
      await events?.stop({ deadlineAtMs: systemClock.now() + 5_000 })
      await stopEngine?.()
    })

    /**
     * Waits until the group has processed all of the log, then returns what it saw on a shard, in the order of its
     * effects.
     */
    const received = async (shard: Shard, count: number): Promise<readonly Step[]> => {
      const read = () => shard.query<Step>('SELECT account, step FROM contract.received ORDER BY seq')
      await engine.until(async () => (await read()).length >= count, { what: `${count} events received` })
      await engine.until(async () => (await lag(cluster)).every((row) => row.lag === 0), { what: 'no lag' })
      return read()
    }

    test('C3 1: 8 writers that pause and roll back: a group sees what was committed, in order per key', async (t) => {
      const seed = systemClock.now() % 1_000_000
      t.diagnostic(`seed ${seed}`)
      const random = randomFrom(seed)
      const shard = cluster.home
      const committed: Step[] = []
      const write = async () => {
        const account = 2 * Math.floor(random() * ACCOUNTS)
        const fails = random() < 0.1
        const pauseMs = random() * 12
        const step = await attempt(() =>
          shard.transaction(async (tx) => {
            const taken = await nextStep(tx, account)
            // After the event's row: its place in the outbox is taken, and others commit before it.
            tx.beforeCommit(() => delay(pauseMs))
            if (fails) tx.beforeCommit(() => Promise.reject(new RolledBack()))
            return taken
          }),
        )
        if (step !== undefined) committed.push({ account, step })
      }
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let round = 0; round < 50; round++) await write()
        }),
      )
      const seen = await received(shard, committed.length)
      assert.deepEqual(sorted(seen), sorted(committed))
      assertOrder(seen)
      const [row] = (await lag(cluster)).filter((one) => one.shard === shard.index)
      assert.equal(row?.end, committed.length, 'offsets are dense: the end of the log is the number of events')
    })

    test('C3 2: the events of a key come in the order of its lock, not of transaction ids', async () => {
      const shard = cluster.shards[1] as Shard
      const [early, open] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const started = Promise.withResolvers<void>()
      const stranger = shard.transaction(async (tx) => {
        await tx.query('SELECT pg_current_xact_id()::text AS xid')
        await open.promise
      })
      const first = shard.transaction(async (tx) => {
        await tx.query('SELECT pg_current_xact_id()::text AS xid')
        started.resolve()
        await early.promise
        await nextStep(tx, 1)
      })
      await started.promise
      await shard.transaction((tx) => nextStep(tx, 1))
      early.resolve()
      await first
      const seen = await received(shard, 2)
      open.resolve()
      await stranger
      assert.deepEqual(seen, [
        { account: 1, step: 1 },
        { account: 1, step: 2 },
      ])
    })

    test('C3 3: a transaction left open, here or in another database, delays no event', async () => {
      const open = Promise.withResolvers<void>()
      const left = cluster.shards.map(async (shard) => {
        const begun = Promise.withResolvers<void>()
        const ended = shard.transaction(async (tx) => {
          await nextStep(tx, 99)
          begun.resolve()
          await open.promise
        })
        await begun.promise
        return { ended }
      })
      const transactions = await Promise.all(left)
      const before = (await cluster.home.query<Step>('SELECT account, step FROM contract.received')).length
      await cluster.home.transaction((tx) => nextStep(tx, 0))
      const seen = await received(cluster.home, before + 1)
      assert.equal(seen.at(-1)?.account, 0)
      open.resolve()
      await Promise.all(transactions.map((transaction) => transaction.ended))
    })
  })
}

class RolledBack extends Error {}

async function createTables(shard: Shard): Promise<void> {
  await shard.query('CREATE SCHEMA contract')
  await shard.query('CREATE TABLE contract.account (id int PRIMARY KEY, step int NOT NULL)')
  await shard.query(
    'CREATE TABLE contract.received (seq bigserial PRIMARY KEY, account int NOT NULL, step int NOT NULL)',
  )
}

/** Locks an account's row, counts, and emits the count: the order of steps is the order of locks. */
async function nextStep(tx: Transaction, account: number): Promise<number> {
  const [row] = await tx.query<{ step: number }>(
    `INSERT INTO contract.account AS a VALUES ($1, 1) ON CONFLICT (id) DO UPDATE SET step = a.step + 1 RETURNING step`,
    [account],
  )
  const step = row?.step ?? 0
  emit(tx, Step, { account, step }, newContext())
  return step
}

async function record(deliveries: readonly Delivery<Step>[], { tx }: { readonly tx: Transaction }): Promise<void> {
  const steps = deliveries.map((delivery) => delivery.event.payload)
  await tx.query(
    `INSERT INTO contract.received (account, step)
     SELECT account, step FROM unnest($1::int[], $2::int[]) WITH ORDINALITY AS r(account, step, n) ORDER BY n`,
    [steps.map((one) => one.account), steps.map((one) => one.step)],
  )
}

async function attempt<T>(run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof RolledBack) return undefined
    throw error
  }
}

function assertOrder(steps: readonly Step[]): void {
  const last = new Map<number, number>()
  for (const { account, step } of steps) {
    assert.ok(step > (last.get(account) ?? 0), `step ${step} of account ${account} came after ${last.get(account)}`)
    last.set(account, step)
  }
}

function sorted(steps: readonly Step[]): Step[] {
  return steps.map(({ account, step }) => ({ account, step })).sort((a, b) => a.account - b.account || a.step - b.step)
}

/** A small generator that repeats itself from its seed. Source: mulberry32, Tommy Ettinger. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
