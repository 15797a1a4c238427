import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { z } from 'zod'
import { type ConsumerDeclaration, event, newContext } from '../core/index.ts'
import { type OpenCluster, systemMigrations } from '../data/index.ts'
import { startTestCluster, until } from '../testing/index.ts'
import { groupPaused, workFailed } from './channels.ts'
import { askForReplay, movePositions } from './engines/postgres-groups.ts'
import {
  deadLetters,
  type EventsRuntime,
  emit,
  eventsMigrations,
  lag,
  on,
  onBatch,
  outboxDepth,
  pauseGroup,
  replayGroup,
  replaysPending,
  startEvents,
} from './index.ts'
import { groupsOf } from './plan.ts'
import { Target } from './target.ts'

const Paid = event('test.paid', 1, z.object({ account: z.int(), cents: z.int() }), { key: (paid) => paid.account })
type Paid = z.infer<typeof Paid.schema>
const FAST = { attemptsMax: 2, backoff: { minMs: 5, maxMs: 20 } }

describe('operating a group', () => {
  let cluster: OpenCluster
  let stopCluster: () => Promise<void>
  let runtime: EventsRuntime | undefined
  let group = ''
  let serial = 0

  before(async () => {
    const started = await startTestCluster({ shards: 2, migrations: [systemMigrations, eventsMigrations] })
    cluster = started.cluster
    stopCluster = started.stop
    for (const shard of cluster.shards) {
      await shard.query('CREATE SCHEMA test')
      await shard.query('CREATE TABLE test.balance (account int PRIMARY KEY, cents int NOT NULL, events int NOT NULL)')
      await shard.query('CREATE TABLE test.effect (seq bigserial, account int, cents int, is_replay boolean)')
    }
  })
  after(async () => {
    await stop()
    await stopCluster?.()
  })
  beforeEach(async () => {
    await stop()
    group = `group-${++serial}`
    for (const shard of cluster.shards) {
      await shard.query('TRUNCATE test.balance, test.effect, groundswell.outbox, groundswell.log_segment')
      await shard.query('TRUNCATE groundswell.log_head, groundswell.consumer_position, groundswell.parked_event')
      await shard.query('TRUNCATE groundswell.replay_request, groundswell.paused_group')
    }
  })

  const stop = async () => {
    await runtime?.stop({ deadlineAtMs: Date.now() + 5_000 })
    runtime = undefined
  }
  const run = async (...consumers: ConsumerDeclaration[]) => {
    const groups = [{ name: group, consumers }]
    runtime = await startEvents({ cluster, groups, owner: 'test', sequence: true, retry: FAST })
  }
  /** Writes on the home shard, whoever the keys belong to: effects land on both. */
  const pay = (accounts: readonly number[], cents = 1) =>
    cluster.home.transaction(async (tx) => {
      for (const account of accounts) emit(tx, Paid, { account, cents }, newContext())
    })
  const noLag = () =>
    until(
      async () => {
        if ((await outboxDepth(cluster)).some(({ events }) => events > 0)) return false
        const rows = (await lag(cluster)).filter((row) => row.group === group)
        return rows.length > 0 && rows.every((row) => row.lag === 0)
      },
      { what: 'no lag' },
    )
  /** Pauses the group, or resumes it, and waits until the process has seen it. */
  const pause = async (paused: boolean) => {
    const seen = Promise.withResolvers<void>()
    const unsubscribe = groupPaused.subscribe(
      (fact) => void (fact.shard === 0 && fact.paused === paused && seen.resolve()),
    )
    await pauseGroup(cluster, { group, paused })
    await seen.promise
    unsubscribe()
  }
  const taken = () => until(async () => (await replaysPending(cluster, group)).length === 0, { what: 'replay taken' })
  const effects = async () => {
    const rows = await Promise.all(
      cluster.shards.map((shard) =>
        shard.query<Paid & { isReplay: boolean }>(
          'SELECT account, cents, is_replay AS "isReplay" FROM test.effect ORDER BY seq',
        ),
      ),
    )
    return rows.flat()
  }
  const project = onBatch(Paid, async (deliveries, { tx }) => {
    for (const {
      event: { payload },
    } of deliveries) {
      await tx.query(
        `INSERT INTO test.balance AS b VALUES ($1, $2, 1)
         ON CONFLICT (account) DO UPDATE SET cents = b.cents + excluded.cents, events = b.events + 1`,
        [payload.account, payload.cents],
      )
    }
  })
  const record = on(Paid, async ({ payload }, { tx, isReplay }) => {
    await tx.query('INSERT INTO test.effect (account, cents, is_replay) VALUES ($1, $2, $3)', [
      payload.account,
      payload.cents,
      isReplay,
    ])
  })
  const table = async () => {
    const dump = 'SELECT b::text AS row FROM test.balance AS b ORDER BY account'
    return (await Promise.all(cluster.shards.map((shard) => shard.query<{ row: string }>(dump)))).flat()
  }

  test('C3 24: a group whose effects are mails is replayed from offset 0 and sends none', async () => {
    const mails: string[] = []
    const applied: string[] = []
    const mail = onBatch(
      Paid,
      async (deliveries, { tx }) => {
        await tx.query('SELECT 1')
        applied.push(...deliveries.map((delivery) => delivery.event.id))
      },
      { call: async (paid) => void mails.push(paid.id) },
    )
    await run(mail)
    await pay([1, 2, 3, 4])
    await until(() => applied.length === 4)
    await noLag()
    await replayGroup(cluster, { group, start: { kind: 'offset', offset: 0 } })
    await taken()
    await pay([5])
    await until(() => applied.length === 5)
    await noLag()
    assert.equal(mails.length, 5, 'each mail was sent once')
    assert.equal(new Set(mails).size, 5)
    await replayGroup(cluster, { group, start: { kind: 'earliest' }, asNew: true })
    await until(() => mails.length === 10)
    assert.equal(new Set(mails).size, 5, 'sent again, since an operator said so')
  })

  test('C3 24: a projection that is rebuilt by a replay equals the live one, byte for byte', async () => {
    await run(project)
    for (let round = 0; round < 20; round++) await pay([1, 2, 3, 4, 5, 6], round)
    await noLag()
    const live = await table()
    assert.equal(live.length, 6)
    await pause(true)
    for (const shard of cluster.shards) await shard.query('TRUNCATE test.balance')
    await replayGroup(cluster, { group, start: { kind: 'earliest' } })
    await taken()
    assert.deepEqual(await table(), [])
    await pause(false)
    await noLag()
    assert.deepEqual(await table(), live)
  })

  test('a consumer that runs for replays is told which they are, on every shard of its effects', async () => {
    await run(record)
    await pay([1, 2])
    await noLag()
    await replayGroup(cluster, { group, start: { kind: 'earliest' } })
    await taken()
    await pay([3, 4])
    await until(async () => (await effects()).length === 6)
    const told = (await effects()).map(({ account, isReplay }) => `${account} ${isReplay}`).sort()
    assert.deepEqual(told, ['1 false', '1 true', '2 false', '2 true', '3 false', '4 false'])
  })

  test('a replay from a time begins with what was written then', async () => {
    await run(record)
    await pay([1])
    await noLag()
    const [{ now } = assert.fail()] = await cluster.home.query<{ now: Date }>('SELECT clock_timestamp() AS now')
    await pay([2])
    await noLag()
    const [replay] = await replayGroup(cluster, { group, start: { kind: 'time', time: now }, shard: 0 })
    assert.deepEqual(replay, { shard: 0, topic: Paid.name, from: 1, committed: 2 })
    await until(async () => (await effects()).length === 3)
    assert.deepEqual(
      (await effects()).filter((one) => one.isReplay).map(({ account }) => account),
      [2],
    )
  })

  test('a replay that cannot be is refused: a group that never ran, an offset that the log does not hold', async () => {
    await run(record)
    await pay([1])
    await noLag()
    const invalid = { code: 'EVENTS_REPLAY_INVALID' }
    await assert.rejects(replayGroup(cluster, { group: 'nobody', start: { kind: 'earliest' } }), invalid)
    await assert.rejects(replayGroup(cluster, { group, start: { kind: 'offset', offset: 2 }, shard: 0 }), invalid)
    await cluster.home.query('UPDATE groundswell.log_head SET first_offset = 1')
    await assert.rejects(replayGroup(cluster, { group, start: { kind: 'offset', offset: 0 }, shard: 0 }), invalid)
  })

  test('a dead letter comes again in its place when the group is replayed, and is none any more', async () => {
    let broken = true
    const consumer = on(Paid, async ({ payload }, { tx, isReplay }) => {
      await tx.query('INSERT INTO test.effect (account, cents, is_replay) VALUES ($1, $2, $3)', [
        payload.account,
        payload.cents,
        isReplay,
      ])
      if (broken && payload.cents === 2) throw new Error('broken')
    })
    await run(consumer)
    for (const cents of [1, 2, 3]) await pay([4], cents)
    await until(async () => (await deadLetters(cluster, { group })).length === 1)
    broken = false
    await replayGroup(cluster, { group, start: { kind: 'earliest' } })
    await until(async () => (await effects()).length === 4)
    await noLag()
    assert.deepEqual(
      (await effects()).map(({ cents }) => cents),
      [1, 1, 2, 3],
    )
    assert.deepEqual(await deadLetters(cluster, { group }), [])
  })

  test('a replay that was cut off between two databases is done from its beginning by the next worker', async () => {
    await run(record)
    await pay([1, 2])
    await noLag()
    await stop()
    // What a worker had done that was killed after it moved the other shard, before it moved its own.
    const moves = new Map([[Paid.name, { offset: 0, asNew: false }]])
    await askForReplay(cluster.home, group, moves)
    await cluster.shards[1]?.transaction((tx) => movePositions(tx, { group, source: 0 }, { moves, rerun: [Paid.name] }))
    await run(record)
    await until(async () => (await effects()).length === 4)
    await noLag()
    const told = (await effects()).map(({ account, isReplay }) => `${account} ${isReplay}`).sort()
    assert.deepEqual(told, ['1 false', '1 true', '2 false', '2 true'])
  })

  test('C3 6: a worker that was frozen before a replay cannot take part in it', async () => {
    const [declared = assert.fail()] = groupsOf([{ name: group, consumers: [record] }])
    const options = { cluster, shard: cluster.home, group: declared, source: 0, retry: FAST }
    const frozen = await Target.load(options)
    await run(record)
    await pay([2, 4])
    await noLag()
    await stop()
    await cluster.home.transaction((tx) =>
      movePositions(
        tx,
        { group, source: 0 },
        { moves: new Map([[Paid.name, { offset: 0, asNew: false }]]), rerun: [] },
      ),
    )
    // It was at offset 0 as well, but took what comes from there for new.
    await assert.rejects(frozen.advance(new Map([[Paid.name, 2]])), { code: 'EVENTS_POSITION_TAKEN' })
    await (await Target.load(options)).advance(new Map([[Paid.name, 2]]))
  })

  test('a worker from between two replays cannot take part in the second, though it begins and ends at the same places', async () => {
    const [declared = assert.fail()] = groupsOf([{ name: group, consumers: [record] }])
    const options = { cluster, shard: cluster.home, group: declared, source: 0, retry: FAST }
    await run(record)
    await pay([2, 4])
    await noLag()
    await stop()
    const sendBack = async () => {
      const moves = new Map([[Paid.name, { offset: 0, asNew: false }]])
      await cluster.home.transaction((tx) => movePositions(tx, { group, source: 0 }, { moves, rerun: [] }))
      await (await Target.load(options)).advance(new Map([[Paid.name, 2]]))
    }
    await sendBack()
    const between = await Target.load(options)
    await sendBack()
    await assert.rejects(between.advance(new Map([[Paid.name, 3]])), { code: 'EVENTS_POSITION_TAKEN' })
  })

  test('a paused group delivers nothing, also after a restart, and everything in order once it is resumed', async () => {
    await run(record)
    await pay([2], 1)
    await noLag()
    await pause(true)
    await pay([2], 2)
    await stop()
    await run(record)
    await pay([2], 3)
    await until(async () => (await lag(cluster)).some((row) => row.lag === 2))
    assert.equal((await effects()).length, 1)
    await pause(false)
    await noLag()
    assert.deepEqual(
      (await effects()).map(({ cents }) => cents),
      [1, 2, 3],
    )
  })

  test('C3 15: a new group begins with what the log keeps, or, if it says so, with what is yet to come', async () => {
    await run(record)
    await pay([2], 1)
    await noLag()
    await stop()
    group = `${group}-latest`
    const late = on(
      Paid,
      async ({ payload }, { tx }) => {
        await tx.query('INSERT INTO test.effect (account, cents) VALUES (0, $1)', [payload.cents])
      },
      { from: 'latest' },
    )
    await run(late)
    await pay([2], 2)
    await noLag()
    await stop()
    await cluster.home.query('UPDATE groundswell.log_head SET first_offset = 1')
    group = `${group}-earliest`
    await run(record)
    await until(async () => (await effects()).length === 3)
    assert.deepEqual(
      (await effects()).map(({ account, cents }) => [account, cents]),
      [
        [2, 1],
        [0, 2],
        [2, 2],
      ],
    )
  })

  test('C3 19: a group that was outrun by retention stops with an error, until an operator moves it on', async () => {
    const errors: unknown[] = []
    const unsubscribe = workFailed.subscribe(({ part, error }) => {
      if (part === `group:${group}`) errors.push((error as { code?: string }).code)
    })
    await run(record)
    await pay([2], 1)
    await noLag()
    await pause(true)
    await pay([2], 2)
    await pay([2], 3)
    await until(async () => (await lag(cluster)).some((row) => row.lag === 2))
    // As dropping a period does.
    await cluster.home.query('DELETE FROM groundswell.log_segment WHERE last_offset < 2')
    await cluster.home.query('UPDATE groundswell.log_head SET first_offset = 2')
    await pause(false)
    await until(() => errors.includes('EVENTS_OFFSET_EXPIRED'))
    assert.deepEqual(
      (await effects()).map(({ cents }) => cents),
      [1],
    )
    await replayGroup(cluster, { group, start: { kind: 'earliest' } })
    await noLag()
    unsubscribe()
    assert.deepEqual(
      (await effects()).map(({ cents, isReplay }) => [cents, isReplay]),
      [
        [1, false],
        [3, false],
      ],
    )
    assert.deepEqual([...new Set(errors)], ['EVENTS_OFFSET_EXPIRED'])
  })
})
