import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { z } from 'zod'
import { type ConsumerDeclaration, event, GroundswellError, newContext } from '../core/index.ts'
import { type OpenCluster, type Shard, systemMigrations, type Transaction } from '../data/index.ts'
import { startTestCluster, until } from '../testing/index.ts'
import {
  type Delivery,
  deadLetters,
  type EventsOptions,
  type EventsRuntime,
  emit,
  eventsMigrations,
  lag,
  on,
  onBatch,
  parked,
  redrive,
  startEvents,
} from './index.ts'
import { DELIVERY_EVENTS_MAX } from './limits.ts'
import { isSettled } from './settled-fixture.ts'

const Tick = event('test.tick', 1, z.object({ account: z.int(), serial: z.int() }), { key: (tick) => tick.account })
type Tick = z.infer<typeof Tick.schema>
const Tock = event('test.tock', 1, z.object({ account: z.int(), serial: z.int() }), { key: (tock) => tock.account })
const retryable = (code: string) =>
  new GroundswellError(code, 'as thrown by the database', { status: 503, retryable: true, remedy: '' })
const FAST = { attemptsMax: 3, backoff: { minMs: 5, maxMs: 20 } }

describe('delivery', () => {
  let stopCluster: () => Promise<void>
  let cluster: OpenCluster
  let runtime: EventsRuntime | undefined
  let group = ''
  let serial = 0

  before(async () => {
    const started = await startTestCluster({ shards: 2, migrations: [systemMigrations, eventsMigrations] })
    cluster = started.cluster
    stopCluster = started.stop
    for (const shard of cluster.shards) {
      await shard.query('CREATE SCHEMA test')
      await shard.query('CREATE TABLE test.effect (seq bigserial, grp text, id uuid, account int, serial int)')
    }
  })
  after(async () => {
    await stop()
    await stopCluster?.()
  })
  beforeEach(async () => {
    await stop()
    // Each test has a group of its own, which begins where the last one ended.
    group = `group-${++serial}`
    for (const shard of cluster.shards) {
      await shard.query('TRUNCATE test.effect, groundswell.outbox, groundswell.log_segment, groundswell.log_head')
      await shard.query('TRUNCATE groundswell.consumer_position, groundswell.parked_event')
    }
  })

  const stop = async () => {
    await runtime?.stop({ deadlineAtMs: Date.now() + 5_000 })
    runtime = undefined
  }
  const run = async (consumers: readonly ConsumerDeclaration[], options: Partial<EventsOptions> = {}) => {
    const groups = [{ name: group, consumers }]
    runtime = await startEvents({ cluster, groups, owner: 'test', sequence: true, retry: FAST, ...options })
  }
  const write = (shard: Shard, ticks: readonly Tick[], type = Tick) =>
    shard.transaction(async (tx) => {
      for (const tick of ticks) emit(tx, type, tick, newContext())
    })
  const ticksOf = (accounts: readonly number[], each = 1) =>
    accounts.flatMap((account) => Array.from({ length: each }, (_, index) => ({ account, serial: index })))
  const effects = (shard: Shard) =>
    shard.query<Tick & { id: string }>('SELECT account, serial, id FROM test.effect WHERE grp = $1 ORDER BY seq', [
      group,
    ])
  const record = async (deliveries: readonly Delivery<Tick, unknown>[], tx: Transaction) => {
    await tx.query(
      `INSERT INTO test.effect (grp, id, account, serial)
       SELECT $1, e.* FROM unnest($2::uuid[], $3::int[], $4::int[]) AS e`,
      [
        group,
        deliveries.map((delivery) => delivery.event.id),
        deliveries.map((delivery) => delivery.event.payload.account),
        deliveries.map((delivery) => delivery.event.payload.serial),
      ],
    )
  }
  const noLag = () => until(() => isSettled(cluster), { what: 'no lag' })
  const settled = async (count: number, shard: Shard = cluster.home) => {
    await until(async () => (await effects(shard)).length >= count, { what: `${count} effects` })
    await noLag()
    return effects(shard)
  }
  const serials = (rows: readonly Tick[], account: number) =>
    rows.filter((row) => row.account === account).map((row) => row.serial)

  test('a handler that fails in the middle of a batch leaves no part of its effect', async () => {
    let failures = 1
    await run([
      on(Tick, async (tick, { tx }) => {
        await record([{ event: tick, result: undefined, isReplay: false }], tx)
        if (tick.payload.serial === 3 && failures-- > 0) throw new Error('in the middle')
      }),
    ])
    await write(cluster.home, ticksOf([2], 6))
    assert.deepEqual(serials(await settled(6), 2), [0, 1, 2, 3, 4, 5])
  })

  test('events of several types that are given the same handler come to it in one call', async () => {
    await write(cluster.home, ticksOf([2]))
    await write(cluster.home, ticksOf([4]), Tock)
    const calls: string[][] = []
    const both = async (deliveries: readonly Delivery<Tick>[], { tx }: { tx: Transaction }) => {
      calls.push(deliveries.map((delivery) => delivery.event.type).toSorted())
      await record(deliveries, tx)
    }
    await run([onBatch(Tick, both), onBatch(Tock, both)])
    await settled(2)
    assert.deepEqual(calls, [['test.tick', 'test.tock']])
  })

  test('what a handler emits commits with its effect, once', async () => {
    let failures = 1
    await run([
      onBatch(Tick, async (deliveries, { tx }) => {
        for (const { event: tick } of deliveries) emit(tx, Tock, tick.payload, tick)
        await tx.query('SELECT 1')
        if (failures-- > 0) throw new Error('after emitting')
      }),
      onBatch(Tock, async (deliveries, { tx }) => record(deliveries, tx)),
    ])
    await write(cluster.home, ticksOf([2, 4, 6]))
    assert.deepEqual((await settled(3)).map((row) => row.account).sort(), [2, 4, 6])
  })

  test('C3 9: one poison event of 1,000 ends as a dead letter, the others commit, with few extra runs', async () => {
    let runs = 0
    await run([
      onBatch(Tick, async (deliveries, { tx }) => {
        runs += 1
        await record(deliveries, tx)
        if (deliveries.some((delivery) => delivery.event.payload.account === 1000)) throw new Error('poison')
      }),
    ])
    await write(cluster.home, ticksOf(Array.from({ length: 1000 }, (_, index) => 2 * index)))
    const rows = await settled(999)
    assert.equal(new Set(rows.map((row) => row.id)).size, 999)
    const [dead] = await until(async () => {
      const found = await deadLetters(cluster, { group })
      return found.length > 0 && found
    })
    assert.equal(dead?.error, 'poison')
    assert.equal(dead?.attempts, FAST.attemptsMax)
    assert.ok(runs <= 2 * Math.log2(1000) + FAST.attemptsMax + 2, `${runs} runs`)
  })

  test('whoever hears of a failed event gets what was thrown, each time; of nothing thrown it says so', async () => {
    const bug = new TypeError('no such property')
    const heard = new Map<unknown, string>()
    const end = parked.subscribe((fact) => heard.set(fact.thrown, `${fact.error} ${fact.attempts}`))
    await run([
      on(Tick, async ({ payload }) => {
        throw payload.account === 2 ? bug : undefined
      }),
    ])
    await write(cluster.home, ticksOf([2, 4]))
    const dead = await until(async () => {
      const found = await deadLetters(cluster, { group })
      return found.length === 2 && found
    })
    end()
    const nothing = 'undefined was thrown, which says nothing of the reason'
    assert.deepEqual(
      heard,
      new Map<unknown, string>([
        [bug, 'no such property 3'],
        [undefined, `${nothing} 3`],
      ]),
    )
    assert.deepEqual(dead.map(({ error }) => error).sort(), ['no such property', nothing])
  })

  test('C3 10: a poison event parks its key, other keys flow, and redrive restores the order', async () => {
    let broken = true
    await run([
      onBatch(Tick, async (deliveries, { tx }) => {
        await record(deliveries, tx)
        if (broken && deliveries.some(({ event: { payload } }) => payload.account === 4 && payload.serial === 1)) {
          throw new Error('broken')
        }
      }),
    ])
    await write(cluster.home, ticksOf([2, 4, 6], 3))
    await until(async () => (await deadLetters(cluster, { group })).length === 1)
    await write(cluster.home, [
      { account: 4, serial: 3 },
      { account: 6, serial: 3 },
    ])
    const before = await settled(8)
    assert.deepEqual(serials(before, 4), [0])
    assert.deepEqual(serials(before, 6), [0, 1, 2, 3])
    assert.equal((await deadLetters(cluster, { group }))[0]?.waiting, 2)

    broken = false
    assert.equal(await redrive(cluster, { group }), 1)
    assert.deepEqual(serials(await settled(11), 4), [0, 1, 2, 3])
    await write(cluster.home, [{ account: 4, serial: 4 }])
    assert.deepEqual(serials(await settled(12), 4), [0, 1, 2, 3, 4])
    assert.deepEqual(await deadLetters(cluster, { group }), [])
  })

  test('C3 11: two redrives at once process a dead letter once', async () => {
    let broken = true
    await run([
      onBatch(Tick, async (deliveries, { tx }) => {
        await record(deliveries, tx)
        if (broken) throw new Error('broken')
      }),
    ])
    await write(cluster.home, ticksOf([2, 4]))
    await until(async () => (await deadLetters(cluster, { group })).length === 2)
    broken = false
    const counts = await Promise.all([redrive(cluster, { group }), redrive(cluster, { group })])
    assert.equal(counts[0] + counts[1], 2)
    assert.equal((await settled(2)).length, 2)
  })

  test('an event that its consumer cannot read is a dead letter at once, with the reason', async () => {
    const Newer = event('test.tick', 2, Tick.schema, { key: Tick.key })
    const Looser = event('test.tick', 1, z.object({ account: z.int(), serial: z.any() }), { key: Tick.key })
    await run([onBatch(Tick, async (deliveries, { tx }) => record(deliveries, tx))])
    await cluster.home.transaction(async (tx) => {
      emit(tx, Newer, { account: 2, serial: 1 }, newContext())
      emit(tx, Looser, { account: 4, serial: 'one' }, newContext())
      emit(tx, Tick, { account: 6, serial: 1 }, newContext())
    })
    assert.deepEqual(serials(await settled(1), 6), [1])
    const dead = await deadLetters(cluster, { group })
    assert.match(dead.find((letter) => letter.key === '2')?.error ?? '', /version 2 of test.tick is unknown here/)
    assert.match(dead.find((letter) => letter.key === '4')?.error ?? '', /breaks the schema/)
  })

  test('a payload that breaks its schema is refused when it is emitted', async () => {
    const written = write(cluster.home, [{ account: 2, serial: 0.5 }])
    await assert.rejects(written, { code: 'EVENTS_PAYLOAD_INVALID' })
    assert.equal((await cluster.home.query('SELECT FROM groundswell.outbox')).length, 0)
  })

  test('effects land on the shard of the key, the home shard, or every shard, as the consumer says', async () => {
    const [home, other] = cluster.shards as [Shard, Shard]
    const consumer = (target: 'key' | 'home' | 'every-shard') =>
      onBatch(Tick, async (deliveries, { tx }) => record(deliveries, tx), { target })
    for (const [target, onHome, onOther] of [
      ['key', [2], [1]],
      ['home', [1, 2], []],
      ['every-shard', [1, 2], [1, 2]],
    ] as const) {
      group = `group-${target}`
      await run([consumer(target)])
      if (target === 'key') await write(other, ticksOf([1, 2]))
      await noLag()
      const accounts = async (shard: Shard) => (await effects(shard)).map((row) => row.account).sort()
      await until(
        async () => (await accounts(home)).length + (await accounts(other)).length >= onHome.length + onOther.length,
      )
      await stop()
      assert.deepEqual(await accounts(home), onHome, `${target} on the home shard`)
      assert.deepEqual(await accounts(other), onOther, `${target} on the other shard`)
    }
  })

  test('a call runs before the transaction, in order per key; one that throws fails only its event', async () => {
    const calls: number[] = []
    let failures = 2
    await run([
      onBatch(
        Tick,
        async (deliveries: readonly Delivery<Tick, number>[], { tx }) => {
          for (const { event: tick, result } of deliveries) assert.equal(result, tick.payload.serial * 10)
          await record(deliveries, tx)
        },
        {
          call: async ({ payload }) => {
            if (payload.account === 4 && payload.serial === 1 && failures-- > 0) throw new Error('provider is down')
            if (payload.account === 4) calls.push(payload.serial)
            return payload.serial * 10
          },
        },
      ),
    ])
    await write(cluster.home, ticksOf([2, 4, 6], 3))
    const rows = await settled(9)
    for (const account of [2, 4, 6]) assert.deepEqual(serials(rows, account), [0, 1, 2])
    assert.deepEqual(calls, [0, 1, 2])
  })

  test('an event whose rows belong to another shard is a dead letter, and stops nobody else', async () => {
    await run([
      onBatch(Tick, async (deliveries, { tx }) => {
        await record(deliveries, tx)
        const foreign = deliveries.some((delivery) => delivery.event.payload.account === 4)
        if (foreign) throw retryable('DATA_BUCKET_NOT_OWNED')
      }),
    ])
    await write(cluster.home, ticksOf([2, 4, 6]))
    assert.deepEqual((await settled(2)).map((row) => row.account).sort(), [2, 6])
    await until(async () => (await deadLetters(cluster, { group })).length === 1)
  })

  test('an event whose statement always times out is a dead letter, and stops nobody else', async () => {
    await run([
      onBatch(Tick, async (deliveries, { tx }) => {
        await record(deliveries, tx)
        if (deliveries.every((delivery) => delivery.event.payload.account % 4 !== 0)) return
        await tx.query('SET LOCAL statement_timeout = 20')
        // Never slept to its end: the server cuts it off.
        await tx.query('SELECT pg_sleep(5)')
      }),
    ])
    await write(cluster.home, ticksOf([2, 4, 6, 8, 10]))
    assert.deepEqual((await settled(3)).map((row) => row.account).sort(), [10, 2, 6])
    await until(async () => (await deadLetters(cluster, { group })).length === 2, { what: 'dead letters' })
  })

  test('a full disk is not counted against an event, a statement over its own limit is', async () => {
    let refusals = 0
    const refuse = (tx: Transaction, sqlState: string) => tx.query(`DO $$ BEGIN RAISE SQLSTATE '${sqlState}'; END $$`)
    await run([
      onBatch(Tick, async (deliveries, { tx }) => {
        await record(deliveries, tx)
        const accounts = deliveries.map((delivery) => delivery.event.payload.account)
        if (accounts.includes(4)) await refuse(tx, '53400')
        if (accounts.includes(6) && refusals++ <= FAST.attemptsMax) await refuse(tx, '53100')
      }),
    ])
    await write(cluster.home, ticksOf([4]))
    await until(async () => (await deadLetters(cluster, { group })).length === 1, { what: 'the dead letter' })
    await write(cluster.home, ticksOf([6]))
    assert.deepEqual(serials(await settled(1), 6), [0])
    assert.equal((await deadLetters(cluster, { group })).length, 1)
  })

  test('a database that a call finds away is not counted against the event, and stops nobody else', async () => {
    let calls = 0
    let away = true
    await run([
      onBatch(Tick, async (deliveries: readonly Delivery<Tick, void>[], { tx }) => record(deliveries, tx), {
        call: async ({ payload }) => {
          if (payload.account !== 4 || !away) return
          if (calls++ === 0) throw new Error('parks it')
          throw retryable('DATA_UNREACHABLE')
        },
      }),
    ])
    await write(cluster.home, ticksOf([4]))
    await until(() => calls > FAST.attemptsMax + 1)
    await write(cluster.home, ticksOf([6]))
    assert.deepEqual(serials(await settled(1), 6), [0])
    assert.deepEqual(await deadLetters(cluster, { group }), [])
    away = false
    assert.deepEqual(serials(await settled(2), 4), [0])
  })

  test('no more calls are under way at once than their consumer allows', async () => {
    let [underWay, most, calls] = [0, 0, 0]
    const call = async () => {
      underWay += 1
      calls += 1
      most = Math.max(most, underWay)
      await cluster.home.query('SELECT 1')
      underWay -= 1
    }
    await run([onBatch(Tick, async (deliveries, { tx }) => record(deliveries, tx), { call, callsMax: 3 })])
    await write(cluster.home, ticksOf(Array.from({ length: 20 }, (_, account) => 2 * account)))
    await settled(20)
    assert.deepEqual([calls, most], [20, 3])
  })

  test('a call that hangs is parked and tried again under the same id, while the other keys of its batch commit', async () => {
    const ids: string[] = []
    await run([
      onBatch(Tick, async (deliveries: readonly Delivery<Tick, void>[], { tx }) => record(deliveries, tx), {
        call: ({ payload, id }) => {
          if (payload.account !== 4 || ids.push(id) > 1) return Promise.resolve()
          return new Promise<void>(() => {})
        },
      }),
    ])
    await write(cluster.home, ticksOf([2, 4, 6]))
    const others = async () => (await effects(cluster.home)).filter((row) => row.account !== 4)
    await until(async () => (await others()).length === 2, { timeoutMs: 6_000, what: 'effects of the other keys' })
    assert.deepEqual(serials(await settled(3), 4), [0])
    assert.equal(ids.length, 2)
    assert.equal(ids[0], ids[1])
  })

  test('a failure is kept whatever its text holds', async () => {
    const text = `${'\0'.repeat(3)}${'x'.repeat(3_999)}\u{1f600}`
    await run([
      onBatch(
        Tick,
        async (deliveries: readonly Delivery<Tick, void>[], { tx }) => {
          await record(deliveries, tx)
          if (deliveries.some((delivery) => delivery.event.payload.account === 2)) throw new Error(text)
        },
        {
          call: async ({ payload }) => {
            if (payload.account === 4) throw new Error(text)
          },
        },
      ),
    ])
    await write(cluster.home, ticksOf([2, 4, 6]))
    assert.deepEqual(serials(await settled(1), 6), [0])
    const dead = await until(async () => {
      const found = await deadLetters(cluster, { group })
      return found.length === 2 && found
    })
    for (const letter of dead) assert.equal(letter.error, `${'x'.repeat(3_999)}\ufffd`)
  })

  test('a key that PostgreSQL has no text for is refused when it is emitted', async () => {
    const Named = event('test.named', 1, z.object({ name: z.string() }), { key: (named) => named.name })
    for (const name of ['a\0', '\ud83d', 'x\ude00y']) {
      const written = cluster.home.transaction(async (tx) => emit(tx, Named, { name }, newContext()))
      await assert.rejects(written, { code: 'EVENTS_PAYLOAD_INVALID' })
    }
  })

  test('a process that does not sequence reads the log of the one that does', async () => {
    const sequencer = await startEvents({ cluster, groups: [], owner: 'sequencer', sequence: true })
    await run([onBatch(Tick, async (deliveries, { tx }) => record(deliveries, tx))], { sequence: false })
    for (let index = 0; index < 5; index++) {
      await write(cluster.home, [{ account: 2, serial: index }])
      await settled(index + 1)
    }
    await sequencer.stop({ deadlineAtMs: Date.now() + 5_000 })
    assert.deepEqual(serials(await settled(5), 2), [0, 1, 2, 3, 4])
  })

  test('a stop gives up a handler that never ends, and says whose it is', async () => {
    const stuck = Promise.withResolvers<void>()
    let begun = 0
    await run([
      onBatch(Tick, async () => {
        begun += 1
        await stuck.promise
      }),
    ])
    await write(cluster.shards[1] as Shard, ticksOf([2]))
    await until(() => begun === 1)
    const stopped = runtime?.stop({ deadlineAtMs: Date.now() })
    await assert.rejects(async () => stopped, {
      code: 'EVENTS_STOP_GIVEN_UP',
      message: `gave up what did not end: group ${group} on shard 1`,
    })
    runtime = undefined
    stuck.resolve()
  })

  test('a stop waits for the batch under way, and aborts its external calls at the deadline', async () => {
    const calls: AbortSignal[] = []
    await run([
      onBatch(Tick, async (deliveries: readonly Delivery<Tick, void>[], { tx }) => record(deliveries, tx), {
        call: (_, { signal }) => {
          calls.push(signal)
          return new Promise<void>(() => {})
        },
      }),
    ])
    await write(cluster.home, ticksOf([2]))
    await until(() => calls.length === 1)
    await runtime?.stop({ deadlineAtMs: Date.now() + 50 })
    assert.equal(calls[0]?.aborted, true)
    assert.deepEqual(await effects(cluster.home), [])
    assert.equal((await lag(cluster)).find((row) => row.shard === 0)?.lag, 1, 'the event is still to be delivered')
  })

  test('a group that starts late reads the whole log, in batches, from its beginning', async () => {
    await run([onBatch(Tock, async () => {})])
    const ticks = ticksOf(
      Array.from({ length: 50 }, (_, index) => 2 * index),
      60,
    )
    for (let start = 0; start < ticks.length; start += 700) await write(cluster.home, ticks.slice(start, start + 700))
    await until(async () => (await cluster.home.query('SELECT FROM groundswell.outbox')).length === 0)
    await stop()
    group = 'group-late'
    let largest = 0
    await run([
      onBatch(Tick, async (deliveries, { tx }) => {
        largest = Math.max(largest, deliveries.length)
        await record(deliveries, tx)
      }),
    ])
    const rows = await settled(ticks.length)
    assert.equal(rows.length, ticks.length)
    for (const account of [0, 98])
      assert.deepEqual(
        serials(rows, account),
        Array.from({ length: 60 }, (_, n) => n),
      )
    assert.ok(largest > 500 && largest <= DELIVERY_EVENTS_MAX, `largest batch ${largest}`)
  })
})
