import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, afterEach, before, describe, test } from 'node:test'
import { Admin } from '@platformatic/kafka'
import { z } from 'zod'
import { event, GroundswellError, newContext } from '../../core/index.ts'
import { type OpenCluster, openCluster, systemMigrations } from '../../data/index.ts'
import {
  type KafkaServer,
  kafkaMissing,
  startKafkaServer,
  startTestCluster,
  type TestCluster,
  until,
} from '../../testing/index.ts'
import type { Broker, BrokerDeclaration } from '../broker.ts'
import {
  type EventsOptions,
  type EventsRuntime,
  emit,
  eventsMigrations,
  lag,
  moveGroup,
  onBatch,
  startEvents,
  workFailed,
} from '../index.ts'
import { partitionOf } from '../partition.ts'
import { openKafka } from './kafka.ts'

/** What the child process is asked to do; it is this file, started again. */
type ChildRole = {
  readonly urls: readonly string[]
  readonly kafka: string
  readonly name: string
  readonly fault: 'die-acknowledged' | 'freeze-publishing' | 'die-committed'
}

const PARTITIONS = 3
const FAULT = (code: string) =>
  new GroundswellError(code, 'as the test wants it', { status: 503, retryable: true, remedy: '' })

/** A topic and a group of a test's own. */
function scenarioOf(name: string) {
  const type = event(`fault.${name}`, 1, z.object({ account: z.int(), serial: z.int() }), { key: (one) => one.account })
  const declaration: BrokerDeclaration = {
    topics: [{ name: type.name, partitions: PARTITIONS, retentionMs: 3_600_000 }],
    groups: [{ name, topics: [type.name] }],
  }
  const consumer = onBatch(type, async (deliveries, { tx }) => {
    await tx.query(
      `INSERT INTO test.effect (grp, account, serial) SELECT $1, e.* FROM unnest($2::int[], $3::int[]) AS e`,
      [
        name,
        deliveries.map((delivery) => delivery.event.payload.account),
        deliveries.map((delivery) => delivery.event.payload.serial),
      ],
    )
  })
  return { name, type, declaration, groups: [{ name, consumers: [consumer] }] }
}

async function runChild({ urls, kafka, name, fault }: ChildRole): Promise<void> {
  const cluster = await openCluster({ urls })
  await cluster.loadDirectory()
  const { declaration, groups } = scenarioOf(name)
  const engine = await openKafka({ url: kafka, clientId: 'child' })
  let hasFrozen = false
  const publish: Broker['publish'] = async (records) => {
    if (fault === 'freeze-publishing' && !hasFrozen) {
      hasFrozen = true
      process.kill(process.pid, 'SIGSTOP')
    }
    await engine.publish(records)
    process.send?.('published')
    if (fault === 'die-acknowledged') process.kill(process.pid, 'SIGKILL')
  }
  const subscribe: Broker['subscribe'] = (subscription) =>
    engine.subscribe({
      ...subscription,
      async onBatch(records) {
        await subscription.onBatch(records)
        if (fault === 'die-committed') process.kill(process.pid, 'SIGKILL')
      },
    })
  workFailed.subscribe(({ error }) => process.send?.(error instanceof GroundswellError ? error.code : String(error)))
  const broker = { engine: withFaults(engine, { publish, subscribe }), declaration }
  const isReader = fault === 'die-committed'
  await startEvents({ cluster, broker, groups: isReader ? groups : [], owner: 'child', sequence: !isReader })
  process.send?.('ready')
}

/** The engine with some of its methods replaced. */
function withFaults(engine: Broker, faults: Partial<Broker>): Broker {
  const { capabilities } = engine
  return {
    capabilities,
    declare: (declaration) => engine.declare(declaration),
    publish: (records) => engine.publish(records),
    subscribe: (subscription) => engine.subscribe(subscription),
    lag: (groups) => engine.lag(groups),
    ping: () => engine.ping(),
    close: () => engine.close(),
    ...faults,
  }
}

const [role] = process.argv.slice(2)
if (role !== undefined) await runChild(JSON.parse(role) as ChildRole)
else
  describe('faults of Kafka, and around it', { skip: await kafkaMissing() }, () => {
    let kafka: KafkaServer
    let postgres: TestCluster
    let cluster: OpenCluster
    const children: ChildProcess[] = []
    const running: { runtime: EventsRuntime; engine: Broker }[] = []

    before(async () => {
      kafka = await startKafkaServer()
      postgres = await startTestCluster({ shards: 2, migrations: [systemMigrations, eventsMigrations] })
      cluster = postgres.cluster
      for (const shard of cluster.shards) {
        await shard.query('CREATE SCHEMA test')
        await shard.query('CREATE TABLE test.effect (seq bigserial, grp text, account int, serial int)')
      }
    })
    afterEach(async () => {
      for (const child of children.splice(0)) child.kill('SIGKILL')
      for (const one of [...running]) await stop(one)
    })
    after(async () => {
      await postgres?.stop()
      await kafka?.stop()
    })

    type Scenario = ReturnType<typeof scenarioOf>
    const start = async (
      { declaration, groups }: Scenario,
      { faults, stallMs, ...options }: Partial<EventsOptions> & { faults?: Faults; stallMs?: number } = {},
    ) => {
      const engine = await openKafka({ url: kafka.url, clientId: 'test' })
      const used = faults === undefined ? engine : withFaults(engine, faults(engine))
      const broker = { engine: used, declaration, ...(stallMs === undefined ? {} : { stallMs }) }
      const runtime = await startEvents({ cluster, broker, groups, owner: 'test', sequence: true, ...options })
      const started = { runtime, engine }
      running.push(started)
      return started
    }
    type Faults = (engine: Broker) => Partial<Broker>
    const stop = async (one: { runtime: EventsRuntime; engine: Broker }) => {
      running.splice(running.indexOf(one), 1)
      await one.runtime.stop({ deadlineAtMs: Date.now() + 10_000 })
      await one.engine.close()
    }
    const startChild = async (name: string, fault: ChildRole['fault']): Promise<ChildProcess> => {
      const child: ChildRole = { urls: postgres.urls, kafka: kafka.url, name, fault }
      const started = spawn(process.execPath, [import.meta.filename, JSON.stringify(child)], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      children.push(started)
      await once(started, 'message')
      return started
    }
    /** Accounts 0 to 5, each with these serials, each on its own shard. */
    const write = async ({ type }: Scenario, from: number, to: number) => {
      for (const shard of cluster.shards)
        await shard.transaction(async (tx) => {
          for (let serial = from; serial < to; serial++)
            for (let account = shard.index; account < 6; account += 2) emit(tx, type, { account, serial }, newContext())
        })
    }
    const effects = async ({ name }: Scenario) => {
      const rows = await Promise.all(
        cluster.shards.map((shard) =>
          shard.query<{ account: number; serial: number }>(
            'SELECT account, serial FROM test.effect WHERE grp = $1 ORDER BY seq',
            [name],
          ),
        ),
      )
      return rows.flat()
    }
    /** Every account has its serials up to `count`, each once and in order. */
    const settled = async (scenario: Scenario, count: number) => {
      await until(async () => (await effects(scenario)).length >= 6 * count, { timeoutMs: 60_000, what: 'all effects' })
      await until(async () => (await lag(cluster)).every((row) => row.lag === 0), { what: 'all is forwarded' })
      const rows = await effects(scenario)
      for (let account = 0; account < 6; account++)
        assert.deepEqual(
          rows.filter((row) => row.account === account).map((row) => row.serial),
          Array.from({ length: count }, (_, serial) => serial),
          `account ${account}`,
        )
    }
    const codesSeen = (): { codes: string[]; end: () => void } => {
      const codes: string[] = []
      const end = workFailed.subscribe(({ error }) => codes.push(error instanceof GroundswellError ? error.code : ''))
      return { codes, end }
    }

    test('C3 5: a forwarder killed between acknowledgement and position repeats records, and no effect', async () => {
      const scenario = scenarioOf('killed-forwarder')
      const child = await startChild(scenario.name, 'die-acknowledged')
      const exited = once(child, 'exit')
      await write(scenario, 0, 50)
      await exited
      let records = 0
      await start(scenario, { faults: counting((count) => (records += count)) })
      await write(scenario, 50, 60)
      await settled(scenario, 60)
      await until(() => records > 6 * 60, { what: 'records were repeated' })
    })

    test('C3 6: a forwarder frozen past its lease and thawed reorders and repeats nothing', async () => {
      const scenario = scenarioOf('frozen-forwarder')
      const child = await startChild(scenario.name, 'freeze-publishing')
      const heard: unknown[] = []
      child.on('message', (message) => heard.push(message))
      await write(scenario, 0, 30)
      await start(scenario)
      await settled(scenario, 30)
      await write(scenario, 30, 40)
      child.kill('SIGCONT')
      await until(() => heard.includes('published'), { what: 'the thawed one publishes what it held' })
      await write(scenario, 40, 50)
      await settled(scenario, 50)
    })

    test('C3 7: a consumer killed after its effects and before their offset repeats no effect', async () => {
      const scenario = scenarioOf('killed-consumer')
      await start({ ...scenario, groups: [] })
      const child = await startChild(scenario.name, 'die-committed')
      const exited = once(child, 'exit')
      await write(scenario, 0, 50)
      await exited
      assert.ok((await effects(scenario)).length > 0)
      await start(scenario, { sequence: false })
      await write(scenario, 50, 60)
      await settled(scenario, 60)
    })

    test('C3 12: while the broker is down events are accepted; afterwards they arrive once and in order', async () => {
      const scenario = scenarioOf('broker-down')
      await start(scenario)
      await write(scenario, 0, 20)
      await settled(scenario, 20)
      await kafka.kill()
      for (let serial = 20; serial < 120; serial += 10) await write(scenario, serial, serial + 10)
      assert.equal((await effects(scenario)).length, 6 * 20)
      const waiting = (await lag(cluster)).filter((row) => row.topic === scenario.type.name)
      await until(async () => (await lag(cluster)).some((row) => row.lag > 0), { what: 'events wait in the log' })
      assert.ok(waiting.length > 0)
      await kafka.restart()
      await settled(scenario, 120)
    })

    test('C3 13: an acknowledgement that is lost, again and again, makes no gap and no second effect', async () => {
      const scenario = scenarioOf('lost-acknowledgement')
      let publications = 0
      await start(scenario, {
        faults: (engine) => ({
          async publish(records) {
            await engine.publish(records)
            if (publications++ % 3 !== 2) throw FAULT('EVENTS_BROKER_UNAVAILABLE')
          },
        }),
      })
      for (let serial = 0; serial < 50; serial += 10) await write(scenario, serial, serial + 10)
      await settled(scenario, 50)
    })

    test('C3 14: readers that come and go lose nothing and repeat no effect', async (t) => {
      const scenario = scenarioOf('rebalances')
      let records = 0
      const faults = counting((count) => (records += count))
      await start(scenario, { faults })
      let serial = 0
      for (let round = 0; round < 4; round++) {
        const joining = await start(scenario, { faults, sequence: false })
        await write(scenario, serial, serial + 20)
        await until(async () => (await effects(scenario)).length > 6 * serial, { timeoutMs: 60_000 })
        serial += 20
        await write(scenario, serial, serial + 20)
        await stop(joining)
        serial += 20
      }
      await settled(scenario, serial)
      t.diagnostic(`${records} records were read for ${6 * serial} events`)
    })

    test('C3 15: a group whose committed offsets are gone begins at the oldest record and repeats no effect', async () => {
      const scenario = scenarioOf('lost-offsets')
      const first = await start(scenario)
      await write(scenario, 0, 30)
      await settled(scenario, 30)
      await stop(first)
      const admin = new Admin({ clientId: 'test', bootstrapBrokers: [kafka.url.slice('kafka://'.length)] })
      await until(() =>
        admin.deleteGroups({ groups: [scenario.name] }).then(
          () => true,
          () => false,
        ),
      )
      await admin.close()
      let records = 0
      await start(scenario, { faults: counting((count) => (records += count)) })
      await write(scenario, 30, 40)
      await settled(scenario, 40)
      assert.ok(records >= 6 * 40, `${records} records: it began at the oldest`)
    })

    test('C3 16: a client that falls silent is noticed and replaced', async () => {
      const scenario = scenarioOf('silent-client')
      const { codes, end } = codesSeen()
      let subscriptions = 0
      await start(scenario, {
        stallMs: 2_000,
        faults: (engine) => ({
          async subscribe(subscription) {
            if (subscriptions++ > 0) return engine.subscribe(subscription)
            const reader = await engine.subscribe(subscription)
            // Its heartbeats go on.
            reader.pause()
            return { pause() {}, resume() {}, assigned: () => reader.assigned?.() ?? [], stop: () => reader.stop() }
          },
        }),
      })
      await write(scenario, 0, 10)
      await until(() => codes.includes('EVENTS_READER_STALLED'), { what: 'the reader is given up' })
      end()
      await settled(scenario, 10)
    })

    test('C3 19: records removed before a group has read them are an error; moved past them, the group goes on', async () => {
      const scenario = scenarioOf('expired')
      const first = await start(scenario)
      await write(scenario, 0, 10)
      await settled(scenario, 10)
      await stop(first)
      const forwarder = await start({ ...scenario, groups: [] })
      await write(scenario, 10, 20)
      await until(async () => (await lag(cluster)).every((row) => row.lag === 0), { what: 'all is forwarded' })
      await stop(forwarder)
      const topic = scenario.type.name
      const expired = partitionOf('0', PARTITIONS)
      const admin = new Admin({ clientId: 'test', bootstrapBrokers: [kafka.url.slice('kafka://'.length)] })
      const listed = await admin.listOffsets({
        topics: [{ name: topic, partitions: [{ partitionIndex: expired, timestamp: -1n }] }],
      })
      const offset = (listed[0]?.partitions[0]?.offset ?? 0n) - 1n
      await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: expired, offset }] }] })
      await admin.close()

      const gaps: GroundswellError[] = []
      const end = workFailed.subscribe(({ error }) => {
        if (error instanceof GroundswellError && error.code === 'EVENTS_OFFSET_EXPIRED') gaps.push(error)
      })
      await start(scenario, { stallMs: 500 })
      const gap = await until(() => gaps[0], { what: 'the gap is told' })
      const { source, stream, after: next } = gap.details as { source: number; stream: string; after: number }
      assert.equal(stream, `${topic}/${expired}`)
      const others = [0, 1, 2, 3, 4, 5].filter((account) => partitionOf(String(account), PARTITIONS) !== expired)
      await until(async () => {
        const rows = await effects(scenario)
        return others.every((account) => rows.filter((row) => row.account === account).length === 20)
      })
      await moveGroup(cluster, { group: scenario.name, source, stream, offset: next })
      await until(async () => {
        const rows = await effects(scenario)
        return rows.some((row) => !others.includes(row.account) && row.serial === 19)
      })
      end()
    })
  })

/** Counts the records that are handed over. */
function counting(count: (records: number) => void): (engine: Broker) => Partial<Broker> {
  return (engine) => ({
    subscribe: (subscription) =>
      engine.subscribe({
        ...subscription,
        async onBatch(records) {
          count(records.length)
          await subscription.onBatch(records)
        },
      }),
  })
}
