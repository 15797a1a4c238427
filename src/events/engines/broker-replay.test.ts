import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { z } from 'zod'
import { event, GroundswellError, newContext } from '../../core/index.ts'
import { type OpenCluster, systemMigrations } from '../../data/index.ts'
import {
  kafkaMissing,
  rabbitMqMissing,
  startKafkaServer,
  startRabbitMqServer,
  startTestCluster,
  until,
} from '../../testing/index.ts'
import type { Broker, BrokerDeclaration, BrokerSubscription } from '../broker.ts'
import {
  deadLetters,
  type EventsRuntime,
  emit,
  eventsMigrations,
  FORWARDER,
  lag,
  onBatch,
  pauseGroup,
  type ReplayStart,
  redrive,
  replayGroup,
  replaysPending,
  skipUnforwarded,
  startEvents,
  workFailed,
} from '../index.ts'
import { openKafka } from './kafka.ts'
import { openRabbitMq } from './rabbitmq.ts'

const PARTITIONS = 3
const ACCOUNTS = 6
const FAST = { attemptsMax: 2, backoff: { minMs: 5, maxMs: 20 } }

type Effect = { readonly account: number; readonly serial: number; readonly isReplay: boolean }

type Engine = {
  readonly name: string
  readonly skip: string | false
  start(): Promise<{ readonly url: string; stop(): Promise<void> }>
  open(url: string): Promise<Broker>
}

const ENGINES: readonly Engine[] = [
  {
    name: 'Kafka',
    skip: (await kafkaMissing()) ?? false,
    start: startKafkaServer,
    open: (url) => openKafka({ url, clientId: 'replay' }),
  },
  {
    name: 'RabbitMQ',
    skip: rabbitMqMissing() ?? false,
    start: startRabbitMqServer,
    open: (url) => openRabbitMq({ url, clientId: 'replay' }),
  },
]

for (const engine of ENGINES) {
  describe(`a group that reads from ${engine.name} is sent back`, { skip: engine.skip }, () => {
    let server: Awaited<ReturnType<Engine['start']>>
    let cluster: OpenCluster
    let stopCluster: () => Promise<void>
    let stop = async () => {}
    /** Nothing can be published. */
    let isAway = false

    before(async () => {
      server = await engine.start()
      const started = await startTestCluster({ shards: 2, migrations: [systemMigrations, eventsMigrations] })
      cluster = started.cluster
      stopCluster = started.stop
      for (const shard of cluster.shards) {
        await shard.query('CREATE SCHEMA test')
        await shard.query('CREATE TABLE test.effect (seq bigserial, grp text, account int, serial int, is_replay bool)')
      }
    })
    afterEach(() => stop())
    after(async () => {
      await stopCluster?.()
      await server?.stop()
    })

    /** A topic and a group of a test's own. Events land on both shards, whichever they are written on. */
    const scenarioOf = (name: string) => {
      const schema = z.object({ account: z.int(), serial: z.int() })
      const type = event(`replay.${name}`, 1, schema, { key: ({ account }) => account })
      const fails: { when: (effect: Effect) => boolean } = { when: () => false }
      const mails: number[] = []
      const declaration: BrokerDeclaration = {
        topics: [{ name: type.name, partitions: PARTITIONS, retentionMs: 3_600_000 }],
        groups: [name, `${name}-mail`].map((group) => ({ name: group, topics: [type.name] })),
      }
      const record = onBatch(type, async (deliveries, { tx }) => {
        for (const { event: one, isReplay } of deliveries) {
          const { account, serial } = one.payload
          if (fails.when({ account, serial, isReplay })) throw new Error('as the test wants it')
          await tx.query('INSERT INTO test.effect (grp, account, serial, is_replay) VALUES ($1, $2, $3, $4)', [
            name,
            account,
            serial,
            isReplay,
          ])
        }
      })
      const mail = onBatch(type, async () => {}, {
        call: async ({ payload }) => void mails.push(payload.serial),
      })
      const groups = [
        { name, consumers: [record] },
        { name: `${name}-mail`, consumers: [mail] },
      ]
      return { name, type, fails, mails, declaration, groups }
    }
    type Scenario = ReturnType<typeof scenarioOf>

    const start = async (
      { declaration, groups }: Scenario,
      intercept?: (taken: Intercepted) => Intercepted['onBatch'],
    ) => {
      const opened = await engine.open(server.url)
      const used = intercepted(opened, { intercept, isAway: () => isAway })
      const broker = { engine: used, declaration, stallMs: 500 }
      const runtime: EventsRuntime = await startEvents({
        ...{ cluster, broker, groups, owner: 'test', sequence: true, retry: FAST },
      })
      stop = async () => {
        stop = async () => {}
        await runtime.stop({ deadlineAtMs: Date.now() + 10_000 })
        await opened.close()
      }
    }
    const write = async ({ type }: Scenario, from: number, to: number) => {
      await cluster.home.transaction(async (tx) => {
        for (let serial = from; serial < to; serial++)
          for (let account = 0; account < ACCOUNTS; account++) emit(tx, type, { account, serial }, newContext())
      })
    }
    const effects = async ({ name }: Scenario): Promise<readonly Effect[]> => {
      const read = `SELECT account, serial, is_replay AS "isReplay" FROM test.effect WHERE grp = $1 ORDER BY seq`
      return (await Promise.all(cluster.shards.map((shard) => shard.query<Effect>(read, [name])))).flat()
    }
    const count = async (scenario: Scenario, effectsMin: number) =>
      until(async () => (await effects(scenario)).length >= effectsMin, {
        timeoutMs: 60_000,
        what: `${effectsMin} effects`,
      })
    const sendBack = async ({ name, type }: Scenario, from: ReplayStart, options: { asNew?: boolean } = {}) => {
      const replays = await replayGroup(cluster, { group: name, start: from, topic: type.name, ...options })
      await until(async () => (await replaysPending(cluster, name)).length === 0, { what: 'replay taken' })
      return replays
    }
    /** What each account had, in order: serials, with a mark at those that were replays. */
    const told = async (scenario: Scenario) => {
      const rows = await effects(scenario)
      return Array.from({ length: ACCOUNTS }, (_, account) =>
        rows.filter((row) => row.account === account).map((row) => `${row.isReplay ? 'again ' : ''}${row.serial}`),
      )
    }
    const eachAccount = (expected: readonly string[]) => Array.from({ length: ACCOUNTS }, () => expected)

    test('C3 24: it has all again from the log, marked and in order, sends no mail, and goes on', async () => {
      const scenario = scenarioOf('all')
      await start(scenario)
      await write(scenario, 0, 3)
      await count(scenario, 3 * ACCOUNTS)
      await until(() => scenario.mails.length === 3 * ACCOUNTS)
      await sendBack(scenario, { kind: 'earliest' })
      await sendBack({ ...scenario, name: `${scenario.name}-mail` }, { kind: 'earliest' })
      await write(scenario, 3, 5)
      await count(scenario, 8 * ACCOUNTS)
      await write(scenario, 5, 6)
      await count(scenario, 9 * ACCOUNTS)
      const expected = ['0', '1', '2', 'again 0', 'again 1', 'again 2', '3', '4', '5']
      assert.deepEqual(await told(scenario), eachAccount(expected))
      await until(() => new Set(scenario.mails.filter((serial) => serial >= 3)).size === 3, {
        what: 'mails of the new',
      })
      assert.equal(scenario.mails.filter((serial) => serial < 3).length, 3 * ACCOUNTS, 'none of what came again')
    })

    test('it goes back to an offset, twice, and to what is taken for new, and each time has what follows once', async () => {
      const scenario = scenarioOf('offset')
      await start(scenario)
      await write(scenario, 0, 3)
      await count(scenario, 3 * ACCOUNTS)
      const from: ReplayStart = { kind: 'offset', offset: 2 * ACCOUNTS }
      const [replay] = await sendBack(scenario, from)
      assert.deepEqual(replay, { shard: 0, topic: scenario.type.name, from: 12, committed: 18 })
      await count(scenario, 4 * ACCOUNTS)
      await sendBack(scenario, from)
      await count(scenario, 5 * ACCOUNTS)
      await sendBack(scenario, from, { asNew: true })
      await count(scenario, 6 * ACCOUNTS)
      await write(scenario, 3, 4)
      await count(scenario, 7 * ACCOUNTS)
      assert.deepEqual(await told(scenario), eachAccount(['0', '1', '2', 'again 2', 'again 2', '2', '3']))
    })

    test('an event that fails in a replay holds back its key, also what the broker has of it; redriven, in order', async () => {
      const scenario = scenarioOf('poison')
      await start(scenario)
      await write(scenario, 0, 2)
      await count(scenario, 2 * ACCOUNTS)
      scenario.fails.when = ({ account, isReplay }) => account === 3 && isReplay
      await sendBack(scenario, { kind: 'earliest' })
      await until(async () => (await deadLetters(cluster, { group: scenario.name })).length === 1)
      await write(scenario, 2, 3)
      await count(scenario, 5 * ACCOUNTS - 3)
      scenario.fails.when = () => false
      assert.equal(await redrive(cluster, { group: scenario.name }), 1)
      await count(scenario, 5 * ACCOUNTS)
      assert.deepEqual(await told(scenario), eachAccount(['0', '1', 'again 0', 'again 1', '2']))
    })

    test('a replay that a stop cut off goes on where it was, while the group lags; paused, it waits', async () => {
      const scenario = scenarioOf('cut-off')
      await start(scenario)
      await write(scenario, 0, 4)
      await count(scenario, 4 * ACCOUNTS)
      await stop()
      // What is left behind in the middle of a replay from the beginning, on both shards.
      for (const shard of cluster.shards) {
        await shard.query(
          `UPDATE groundswell.consumer_position SET log_until = next_offset, replay_until = next_offset, moves = 1,
             next_offset = $2 WHERE grp = $1 AND position('/' IN topic) > 0 AND source = 0`,
          [scenario.name, 2 * ACCOUNTS],
        )
      }
      await pauseGroup(cluster, { group: scenario.name, paused: true })
      await start(scenario)
      await write(scenario, 4, 5)
      const mine = async () => (await lag(cluster)).filter((row) => row.group === scenario.name)
      await until(async () => (await mine()).some((row) => row.isPaused && row.isReplaying && row.lag > 0))
      assert.equal((await effects(scenario)).length, 4 * ACCOUNTS)
      await pauseGroup(cluster, { group: scenario.name, paused: false })
      await count(scenario, 7 * ACCOUNTS)
      assert.deepEqual(await told(scenario), eachAccount(['0', '1', '2', '3', 'again 2', 'again 3', '4']))
      assert.deepEqual(await mine(), [])
    })

    test('what the broker lost stops the group, and the log gives it when an operator sends the group there', async () => {
      const scenario = scenarioOf('lost')
      const codes: string[] = []
      const unsubscribe = workFailed.subscribe(({ error }) =>
        codes.push(error instanceof GroundswellError ? error.code : ''),
      )
      let loses = false
      await start(scenario, ({ onBatch }) => (records) => {
        return onBatch(loses ? records.filter((record) => !record.value.includes('"serial":1')) : records)
      })
      await write(scenario, 0, 1)
      await count(scenario, ACCOUNTS)
      loses = true
      await write(scenario, 1, 3)
      await until(() => codes.includes('EVENTS_OFFSET_EXPIRED'))
      await sendBack(scenario, { kind: 'offset', offset: ACCOUNTS })
      await count(scenario, 3 * ACCOUNTS)
      await write(scenario, 3, 4)
      await count(scenario, 4 * ACCOUNTS)
      unsubscribe()
      assert.deepEqual(await told(scenario), eachAccount(['0', '1', '2', '3']))
    })

    test('what retention dropped before it was forwarded stops the forwarder, until an operator goes on without', async () => {
      const scenario = scenarioOf('dropped')
      await start(scenario)
      await write(scenario, 0, 1)
      await count(scenario, ACCOUNTS)
      await stop()
      isAway = true
      await start(scenario)
      await write(scenario, 1, 2)
      await write(scenario, 2, 3)
      const forwarder = async () =>
        (await lag(cluster)).find(({ group, topic }) => group === FORWARDER && topic === scenario.type.name)
      await until(async () => (await forwarder())?.lag === 2 * ACCOUNTS, { what: 'the log to hold all of it' })
      await stop()
      // As dropping a period does, and nothing of it is left in memory.
      const { name: topic } = scenario.type
      const kept = 2 * ACCOUNTS
      await cluster.home.query('DELETE FROM groundswell.log_segment WHERE topic = $1 AND last_offset < $2', [
        topic,
        kept,
      ])
      await cluster.home.query('UPDATE groundswell.log_head SET first_offset = $2 WHERE topic = $1', [topic, kept])
      const errors: unknown[] = []
      const unsubscribe = workFailed.subscribe(({ part, error }) => part === 'forwarder' && errors.push(error))
      isAway = false
      await start(scenario)
      await until(() => errors.length > 0)
      const { code, message } = errors[0] as GroundswellError
      assert.equal(code, 'EVENTS_OFFSET_EXPIRED')
      assert.match(message, /6 of replay\.dropped; .*groundswell events skip '~broker' --shard 0$/)
      assert.equal((await forwarder())?.missed, ACCOUNTS)

      assert.deepEqual(await skipUnforwarded(cluster, 1), [])
      assert.deepEqual(await skipUnforwarded(cluster), [{ shard: 0, topic, events: ACCOUNTS, first: kept }])
      await count(scenario, 2 * ACCOUNTS)
      await write(scenario, 3, 4)
      await count(scenario, 3 * ACCOUNTS)
      unsubscribe()
      assert.deepEqual(await told(scenario), eachAccount(['0', '2', '3']))
      assert.deepEqual(await skipUnforwarded(cluster), [])
    })
  })
}

type Intercepted = Pick<BrokerSubscription, 'onBatch'>

type Interception = {
  readonly intercept: ((taken: Intercepted) => Intercepted['onBatch']) | undefined
  readonly isAway: () => boolean
}

/** The engine, with what it hands over passed through `intercept`; nothing can be published while it `isAway`. */
function intercepted(engine: Broker, { intercept = ({ onBatch }) => onBatch, isAway }: Interception): Broker {
  return {
    capabilities: engine.capabilities,
    declare: (declaration) => engine.declare(declaration),
    publish: (records) => (isAway() ? Promise.reject(new Error('the broker is away')) : engine.publish(records)),
    subscribe: (subscription) => engine.subscribe({ ...subscription, onBatch: intercept(subscription) }),
    lag: (groups) => engine.lag(groups),
    ping: () => engine.ping(),
    close: () => engine.close(),
  }
}
