import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { z } from 'zod'
import { delay, event, newContext, systemClock } from '../core/index.ts'
import type { OpenCluster, Shard, Transaction } from '../data/index.ts'
import type { Broker, BrokerDeclaration, BrokerUse } from './broker.ts'
import type { LogCapabilities } from './capabilities.ts'
import { type Delivery, onBatch } from './consumer.ts'
import { emit } from './emit.ts'
import { deadLetters, lag, outboxDepth, redrive } from './operations.ts'
import { type EventsRuntime, startEvents } from './runtime.ts'

/**
 * What every event log promises, run against real engines: exactly the committed events, in the order of their key,
 * each effect once, and nobody waits for a stranger's transaction.
 */
export type EventLogEngine = {
  readonly capabilities: LogCapabilities
  /** Why it cannot run here; false when it can. */
  readonly skip?: string | false
  /**
   * A cluster of two shards, empty but for the engine's tables, and where groups do not read its log, a broker that
   * nobody else uses, opened anew by each call of `openBroker`.
   */
  start(): Promise<{
    readonly cluster: OpenCluster
    readonly openBroker?: () => Promise<Broker>
    stop(): Promise<void>
  }>
  /** Polls until the condition holds; rejects when it never does. */
  until<T>(
    condition: () => T | Promise<T>,
    options?: { timeoutMs?: number; what?: string },
  ): Promise<NonNullable<Exclude<T, false>>>
}

const byAccount = { key: (step: { readonly account: number }) => step.account }
const StepV1 = event('contract.step', 1, z.object({ account: z.int(), text: z.string() }), byAccount)
const StepV2 = event('contract.step', 2, z.object({ account: z.int(), number: z.int() }), {
  ...byAccount,
  previous: { type: StepV1, upcast: ({ account, text }) => ({ account, number: Number(text) }) },
})
const Step = event('contract.step', 3, z.object({ account: z.int(), step: z.int() }), {
  ...byAccount,
  previous: { type: StepV2, upcast: ({ account, number }) => ({ account, step: number }) },
})
const StepV9 = event('contract.step', 9, z.object({ account: z.int() }), byAccount)
type Step = z.infer<typeof Step.schema>

const ACCOUNTS = 8
const ATTEMPTS_MAX = 2
const GROUP = 'contract-readers'
const DECLARATION: BrokerDeclaration = {
  topics: [{ name: Step.name, partitions: 3, retentionMs: 3_600_000 }],
  groups: [{ name: GROUP, topics: [Step.name] }],
}

/** Registers the suite with node:test. */
export function eventLogContract(engine: EventLogEngine): void {
  describe(`event log: ${engine.capabilities.name}`, { skip: engine.skip ?? false }, () => {
    let cluster: OpenCluster
    let stopEngine: () => Promise<void>
    let openBroker: (() => Promise<Broker>) | undefined
    let broker: BrokerUse | undefined
    let events: EventsRuntime
    let fails = (_step: Step) => false
    let failures = 0

    before(async () => {
      const started = await engine.start()
      cluster = started.cluster
      stopEngine = started.stop
      openBroker = started.openBroker
      for (const shard of cluster.shards) await createTables(shard)
      await startGroup()
    })

    after(async () => {
      await stopGroup()
      await stopEngine?.()
    })

    const startGroup = async () => {
      const engineNow = await openBroker?.()
      broker = engineNow === undefined ? undefined : { engine: engineNow, declaration: DECLARATION }
      const consumer = onBatch<Step>(Step, async (deliveries, { tx }) => {
        await record(deliveries, { tx })
        if (!deliveries.some((delivery) => fails(delivery.event.payload))) return
        failures += 1
        throw new Error('as the test wants it')
      })
      events = await startEvents({
        cluster,
        broker,
        groups: [{ name: GROUP, consumers: [consumer] }],
        owner: 'contract',
        sequence: true,
        retry: { attemptsMax: ATTEMPTS_MAX, backoff: { minMs: 5, maxMs: 20 } },
      })
    }
    const stopGroup = async () => {
      await events?.stop({ deadlineAtMs: systemClock.now() + 5_000 })
      await broker?.engine.close()
    }
    /** Nothing waits for the sequencer, for the broker, or there; asked in the direction in which events move. */
    const isDone = async () => {
      const depths = await outboxDepth(cluster)
      const logs = await lag(cluster)
      const records = (await broker?.engine.lag(DECLARATION.groups)) ?? []
      const counts = [
        ...depths.map((row) => row.events),
        ...logs.map((row) => row.lag),
        ...records.map((row) => row.messages),
      ]
      return counts.every((count) => count === 0)
    }

    /**
     * Waits until the group has processed all of the log, then returns what it saw on a shard, in the order of its
     * effects.
     */
    const received = async (shard: Shard, count: number): Promise<readonly Step[]> => {
      const read = () => shard.query<Step>('SELECT account, step FROM contract.received ORDER BY seq')
      await engine.until(async () => (await read()).length >= count, { what: `${count} events received` })
      await engine.until(isDone, { what: 'no lag' })
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

    test('a group that is started again goes on where it was, and repeats nothing', async () => {
      const shard = cluster.shards[1] as Shard
      const before = (await received(shard, 0)).length
      await shard.transaction((tx) => nextStep(tx, 3))
      await received(shard, before + 1)
      await stopGroup()
      await shard.transaction((tx) => nextStep(tx, 3))
      await startGroup()
      const seen = (await received(shard, before + 2)).slice(before)
      assert.deepEqual(seen, [
        { account: 3, step: 1 },
        { account: 3, step: 2 },
      ])
    })

    test('C3 10: an event that fails holds back its key alone; redriven, the key goes on in order', async () => {
      const shard = cluster.home
      const before = (await received(shard, 0)).length
      fails = ({ account, step }) => account === 20 && step === 2
      for (let step = 1; step <= 3; step++) await shard.transaction((tx) => nextStep(tx, 20))
      await shard.transaction((tx) => nextStep(tx, 22))
      const others = await received(shard, before + 2)
      assert.deepEqual(
        others
          .slice(before)
          .map((one) => one.account)
          .sort(),
        [20, 22],
      )
      const letter = await engine.until(async () => (await deadLetters(cluster, { group: GROUP }))[0])
      assert.match(letter?.error ?? '', /as the test wants it/)
      fails = () => false
      assert.equal(await redrive(cluster, { group: GROUP }), 1)
      const all = await received(shard, before + 4)
      assert.deepEqual(
        all.filter((one) => one.account === 20).map((one) => one.step),
        [1, 2, 3],
      )
    })

    test('C3 9: one poison event of 1,000 ends as a dead letter, the others commit, with few runs more', async () => {
      const shard = cluster.home
      const before = (await received(shard, 0)).length
      const accounts = Array.from({ length: 1_000 }, (_, index) => 1_000 + 2 * index)
      fails = ({ account }) => account === 1_998
      failures = 0
      await shard.transaction(async (tx) => {
        for (const account of accounts) emit(tx, Step, { account, step: 1 }, newContext())
      })
      const seen = (await received(shard, before + 999)).slice(before)
      const others = accounts.filter((account) => account !== 1_998)
      assert.deepEqual(seen.map(({ account }) => account).sort(ascending), others)
      const letter = await engine.until(async () => (await deadLetters(cluster, { group: GROUP }))[0])
      assert.deepEqual([letter.key, letter.attempts], ['1998', ATTEMPTS_MAX])
      const runsMax = Math.ceil(Math.log2(accounts.length)) + 1 + ATTEMPTS_MAX
      assert.ok(failures <= runsMax, `${failures} runs with the poison event`)
    })

    test('C3 11: two redrives at once bring a dead letter back once', async () => {
      const shard = cluster.home
      const before = (await received(shard, 0)).length
      await engine.until(async () => (await deadLetters(cluster, { group: GROUP })).length === 1)
      fails = () => false
      const counts = await Promise.all([redrive(cluster, { group: GROUP }), redrive(cluster, { group: GROUP })])
      assert.deepEqual(counts.sort(ascending), [0, 1])
      assert.deepEqual((await received(shard, before + 1)).slice(before), [{ account: 1_998, step: 1 }])
    })

    test('C3 20: events of versions 1 and 2 reach a handler of version 3; of an unknown one, the dead letters', async () => {
      const shard = cluster.home
      const before = (await received(shard, 0)).length
      await shard.transaction(async (tx) => {
        emit(tx, StepV1, { account: 40, text: '1' }, newContext())
        emit(tx, StepV9, { account: 42 }, newContext())
        emit(tx, StepV2, { account: 40, number: 2 }, newContext())
        emit(tx, Step, { account: 40, step: 3 }, newContext())
      })
      const seen = (await received(shard, before + 3)).slice(before)
      assert.deepEqual(
        seen.map(({ account, step }) => [account, step]),
        [1, 2, 3].map((step) => [40, step]),
      )
      const letter = await engine.until(async () => (await deadLetters(cluster, { group: GROUP }))[0])
      assert.match(letter.error, /version 9 of contract.step is unknown here/)
    })
  })
}

const ascending = (left: number, right: number) => left - right

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
