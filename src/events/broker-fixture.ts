import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { z } from 'zod'
import { event, GroundswellError, newContext } from '../core/index.ts'
import { type OpenCluster, openCluster } from '../data/index.ts'
import type { Broker, BrokerDeclaration } from './broker.ts'
import { workFailed } from './channels.ts'
import { type CallContext, type ConsumerContext, type Delivery, onBatch } from './consumer.ts'
import { emit } from './emit.ts'
import { type EventsOptions, type EventsRuntime, startEvents } from './runtime.ts'
import { isSettled } from './settled-fixture.ts'

/** A real broker with delivery around it, for tests that break the one or the other. */
export type BrokerEngine = {
  readonly name: string
  /** Why it cannot run here; false when it can. */
  readonly skip?: string | false
  /** The test's file: a process that is to die in the midst of something is this file, started again. */
  readonly file: string
  startServer(): Promise<BrokerServer>
  openBroker(url: string): Promise<Broker>
  /** A cluster of two shards with the tables of events. */
  startCluster(): Promise<{ readonly cluster: OpenCluster; readonly urls: readonly string[]; stop(): Promise<void> }>
  /** Polls until the condition holds; rejects when it never does. */
  until<T>(
    condition: () => T | Promise<T>,
    options?: { timeoutMs?: number; what?: string },
  ): Promise<NonNullable<Exclude<T, false>>>
}

export type BrokerServer = {
  readonly url: string
  /** Writes to disk what it would otherwise write soon, and without which it could not go on after a crash. */
  flush?(): Promise<unknown>
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>
  /** Starts it again with what it had. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** What befalls a process, in the midst of what. */
export type Fault =
  | 'die-acknowledged'
  | 'freeze-publishing'
  | 'freeze-delivering'
  | 'die-committed'
  | 'die-halfway'
  | 'die-charged'

type ChildRole = {
  readonly urls: readonly string[]
  readonly broker: string
  readonly scenario: string
  readonly fault: Fault
}

export type Scenario = ReturnType<typeof scenarioOf>
export type Running = { readonly runtime: EventsRuntime; readonly engine: Broker }
/** Replaces some of an engine's methods. */
export type Faults = (engine: Broker) => Partial<Broker>
export type StartOptions = Partial<EventsOptions> & { readonly faults?: Faults; readonly stallMs?: number }

export const PARTITIONS = 3
const ACCOUNTS = 6
const RECORD = 'INSERT INTO test.effect (grp, account, serial) SELECT $1, e.* FROM unnest($2::int[], $3::int[]) AS e'
/** The provider: it knows each idempotency key once, and counts how often it was asked. */
const CHARGE = 'INSERT INTO test.charge AS c VALUES ($1, 1) ON CONFLICT (key) DO UPDATE SET asked = c.asked + 1'

export type ScenarioOptions = {
  /** What befalls the process of the consumer at its first batch. */
  readonly fault?: Fault | undefined
  /** The consumer asks a provider to charge before each effect. */
  readonly charges?: boolean
}

/** A topic of a test's own, and a group of the same name. */
export function scenarioOf(name: string, { fault, charges = false }: ScenarioOptions = {}) {
  const type = event(`fault.${name}`, 1, z.object({ account: z.int(), serial: z.int() }), { key: (one) => one.account })
  const declaration: BrokerDeclaration = {
    topics: [{ name: type.name, partitions: PARTITIONS, retentionMs: 3_600_000 }],
    groups: [{ name, topics: [type.name] }],
  }
  const apply = async (deliveries: readonly Delivery<Counted, void>[], { tx }: ConsumerContext) => {
    if (fault === 'die-charged') die()
    if (fault === 'freeze-delivering') process.kill(process.pid, 'SIGSTOP')
    const all = deliveries.map((delivery) => delivery.event.payload)
    const some = fault === 'die-halfway' ? all.slice(0, Math.ceil(all.length / 2)) : all
    await tx.query(RECORD, [name, some.map((one) => one.account), some.map((one) => one.serial)])
    if (fault === 'die-halfway') die()
  }
  const charge = async ({ id }: { readonly id: string }, { cluster }: CallContext) =>
    void (await cluster.home.query(CHARGE, [id]))
  const consumer = charges ? onBatch(type, apply, { call: charge }) : onBatch<Counted, void>(type, apply)
  return { name, type, declaration, groups: [{ name, consumers: [consumer] }] }
}

type Counted = { readonly account: number; readonly serial: number }

function die(): void {
  process.kill(process.pid, 'SIGKILL')
}

/** The engine with some of its methods replaced. */
export function withFaults(engine: Broker, faults: Faults): Broker {
  return {
    capabilities: engine.capabilities,
    declare: (declaration) => engine.declare(declaration),
    publish: (records) => engine.publish(records),
    subscribe: (subscription) => engine.subscribe(subscription),
    lag: (groups) => engine.lag(groups),
    ping: () => engine.ping(),
    close: () => engine.close(),
    ...faults(engine),
  }
}

/** Calls `before` or `after` around each batch that is handed over. */
export function aroundBatches(around: {
  readonly before?: (records: number) => void
  readonly after?: () => void
}): Faults {
  return (engine) => ({
    subscribe: (subscription) =>
      engine.subscribe({
        ...subscription,
        async onBatch(records) {
          around.before?.(records.length)
          await subscription.onBatch(records)
          around.after?.()
        },
      }),
  })
}

/** What a process does that a test has started to break it: see `BrokerFixture.startChild`. */
export async function runChild(engine: BrokerEngine, { urls, broker, scenario, fault }: ChildRole): Promise<void> {
  const cluster = await openCluster({ urls })
  await cluster.loadDirectory()
  const { declaration, groups } = scenarioOf(scenario, { fault, charges: fault === 'die-charged' })
  const isForwarder = fault === 'die-acknowledged' || fault === 'freeze-publishing'
  const faults: Faults = (real) => ({
    ...aroundBatches({ after: () => void (fault === 'die-committed' && die()) })(real),
    publish: publishing(fault, real),
  })
  workFailed.subscribe(({ error }) => process.send?.(error instanceof GroundswellError ? error.code : String(error)))
  await startEvents({
    cluster,
    broker: { engine: withFaults(await engine.openBroker(broker), faults), declaration },
    groups: isForwarder ? [] : groups,
    owner: 'child',
    sequence: isForwarder,
  })
  process.send?.('ready')
}

function publishing(fault: Fault, engine: Broker): Broker['publish'] {
  let hasFrozen = false
  return async (records) => {
    if (fault === 'freeze-publishing' && !hasFrozen) {
      hasFrozen = true
      process.kill(process.pid, 'SIGSTOP')
    }
    await engine.publish(records)
    process.send?.('published')
    if (fault === 'die-acknowledged') die()
  }
}

/** A server of the broker, two databases, and what tests do with them. */
export class BrokerFixture {
  readonly engine: BrokerEngine
  readonly server: BrokerServer
  readonly cluster: OpenCluster
  private readonly databases: Awaited<ReturnType<BrokerEngine['startCluster']>>
  private readonly children: ChildProcess[] = []
  private readonly running: Running[] = []

  private constructor(engine: BrokerEngine, server: BrokerServer, databases: BrokerFixture['databases']) {
    this.engine = engine
    this.server = server
    this.databases = databases
    this.cluster = databases.cluster
  }

  static async start(engine: BrokerEngine): Promise<BrokerFixture> {
    const [server, databases] = await Promise.all([engine.startServer(), engine.startCluster()])
    for (const shard of databases.cluster.shards) {
      await shard.query('CREATE SCHEMA test')
      await shard.query('CREATE TABLE test.effect (seq bigserial, grp text, account int, serial int)')
      await shard.query('CREATE TABLE test.charge (key uuid PRIMARY KEY, asked int NOT NULL)')
    }
    return new BrokerFixture(engine, server, databases)
  }

  /** Ends what a test has left. */
  async settle(): Promise<void> {
    for (const child of this.children.splice(0)) child.kill('SIGKILL')
    for (const one of [...this.running]) await this.end(one)
  }

  async stop(): Promise<void> {
    await this.databases.stop()
    await this.server.stop()
  }

  openBroker(): Promise<Broker> {
    return this.engine.openBroker(this.server.url)
  }

  /** Delivery of the scenario in this process. */
  async begin({ declaration, groups }: Scenario, options: StartOptions = {}): Promise<Running> {
    const { faults = () => ({}), stallMs, ...rest } = options
    const engine = await this.openBroker()
    const broker = { engine: withFaults(engine, faults), declaration, ...(stallMs === undefined ? {} : { stallMs }) }
    const runtime = await startEvents({
      ...{ cluster: this.cluster, broker, groups, owner: 'test', sequence: true },
      ...rest,
    })
    const started = { runtime, engine }
    this.running.push(started)
    return started
  }

  async end(one: Running): Promise<void> {
    this.running.splice(this.running.indexOf(one), 1)
    await one.runtime.stop({ deadlineAtMs: Date.now() + 10_000 })
    await one.engine.close()
  }

  /** Delivery in a process of its own, which the fault befalls. Resolves when it is ready for it. */
  async startChild({ name }: Scenario, fault: Fault): Promise<ChildProcess> {
    const role: ChildRole = { urls: this.databases.urls, broker: this.server.url, scenario: name, fault }
    const child = spawn(process.execPath, [this.engine.file, JSON.stringify(role)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.children.push(child)
    await once(child, 'message')
    return child
  }

  /** Every account gets events with these serials, each on its own shard. */
  async write({ type }: Scenario, from: number, to: number): Promise<void> {
    for (const shard of this.cluster.shards)
      await shard.transaction(async (tx) => {
        for (let serial = from; serial < to; serial++)
          for (let account = shard.index; account < ACCOUNTS; account += 2)
            emit(tx, type, { account, serial }, newContext())
      })
  }

  async effects({ name }: Scenario): Promise<readonly Counted[]> {
    const select = 'SELECT account, serial FROM test.effect WHERE grp = $1 ORDER BY seq'
    return (await Promise.all(this.cluster.shards.map((shard) => shard.query<Counted>(select, [name])))).flat()
  }

  /** How often the provider was asked, for each charge. */
  async charges(): Promise<readonly number[]> {
    const rows = await this.cluster.home.query<{ asked: number }>('SELECT asked FROM test.charge')
    return rows.map(({ asked }) => asked)
  }

  async forwarded(): Promise<void> {
    await this.engine.until(() => isSettled(this.cluster), { timeoutMs: 60_000, what: 'all is forwarded' })
  }

  /** Waits until every account has its serials up to `count`, and asserts that each came once and in order. */
  async settled(scenario: Scenario, count: number): Promise<void> {
    const isThere = async () => (await this.effects(scenario)).length >= ACCOUNTS * count
    await this.engine.until(isThere, { timeoutMs: 60_000, what: 'all effects' })
    await this.forwarded()
    const rows = await this.effects(scenario)
    for (let account = 0; account < ACCOUNTS; account++)
      assert.deepEqual(
        rows.filter((row) => row.account === account).map((row) => row.serial),
        Array.from({ length: count }, (_, serial) => serial),
        `account ${account}`,
      )
  }
}
