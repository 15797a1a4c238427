import { hostname } from 'node:os'
import {
  type App,
  assertLimits,
  type Lifecycle,
  newId,
  type ServiceDeclaration,
  STOP_GRACE_MS,
  systemClock,
} from '../core/index.ts'
import { type MigrationSet, type OpenCluster, openCluster, systemMigrations } from '../data/index.ts'
import { eventsMigrations, startEvents } from '../events/index.ts'
import { gatewayMigrations } from '../gateway/index.ts'
import { type Caller, createCaller, createServiceHost, type ServiceHost, serviceMigrations } from '../service/index.ts'
import { startDatabases } from './database.ts'
import { type Addresses, describeApp } from './describe.ts'
import { runtimeError } from './errors.ts'
import { printable, startGateway } from './gateway.ts'
import { keepIdempotencyKeysFresh } from './housekeeping.ts'
import { type RuntimeOptions, readOptions } from './options.ts'
import { assertPortsFree, type WantedPort } from './ports.ts'
import { type Topology, topologyOf } from './topology.ts'

export type StartOptions = {
  readonly env: NodeJS.ProcessEnv
  /** Services of the application, `gateway`, `console`; everything when absent. */
  readonly only?: readonly string[]
  /** Receives lines about progress, for people. */
  readonly log: (line: string) => void
}

export type RunningApp = {
  readonly addresses: Addresses
  /** The table of services, routes, events, shards and addresses, with a request that works. */
  describe(): Promise<string>
  /** Drains from the top down: gateway, services, events, databases. Idempotent. */
  stop(): Promise<void>
  /** Rejects when a part that everything needs ends by itself (RUNTIME_DATABASE_GONE). */
  readonly failed: Promise<never>
}

/**
 * Starts an application in this process: databases, migrations, services, events, gateway, console, from the bottom up.
 * When a step fails, what was started is stopped again and the error is thrown.
 */
export async function startApp(app: App, options: StartOptions): Promise<RunningApp> {
  assertLimits()
  const settings = readOptions(options.env)
  const topology = topologyOf(app, options.only)
  if (topology.apart && settings.databaseUrls === undefined) {
    throw runtimeError('RUNTIME_DATABASE_NEEDED', '--only runs a part of the application, and DATABASE_URLS is not set')
  }
  await assertPortsFree(wantedPorts(topology, settings))
  const started = new Stack()
  try {
    return await startParts({ app, settings, topology, started, log: options.log })
  } catch (error) {
    await started.stop()
    throw error
  }
}

type Parts = {
  readonly app: App
  readonly settings: RuntimeOptions
  readonly topology: Topology
  readonly started: Stack
  readonly log: (line: string) => void
}

async function startParts({ app, settings, topology, started, log }: Parts): Promise<RunningApp> {
  const databases = await startDatabases(settings, log)
  started.push((options) => databases.stop(options))
  const cluster = await openCluster({
    urls: databases.urls,
    connectionsMax: settings.connectionsMax,
    applicationName: 'groundswell',
  })
  started.push((options) => cluster.close(options))
  await cluster.migrate(migrationsOf(app), log)
  await cluster.loadDirectory()
  started.push(keepIdempotencyKeysFresh(cluster))

  const hosts = new Map<string, ServiceHost>()
  const caller = createCaller({ locals: hosts, origin: settings.originOf })
  const host = await createServiceHost({ services: topology.services, cluster, caller, routes: 'routes' })
  started.push((options) => host.close(options))
  for (const service of topology.services) hosts.set(service.name, host)
  const addresses: { -readonly [Name in keyof Addresses]: Addresses[Name] } = { databases: databases.source }
  if (topology.apart && topology.services.length > 0) {
    addresses.services = `http://${settings.services.host}:${(await host.listen(settings.services)).port}`
  }
  await seed(topology.services, cluster, caller)
  const events = await startEvents({
    cluster,
    groups: topology.services.filter(consumes).map((service) => ({ name: service.name, consumers: service.consumers })),
    owner: `${hostname()}:${process.pid}:${newId().slice(-12)}`,
    sequence: topology.services.length > 0,
  })
  started.push((options) => events.stop(options))
  if (topology.console) addresses.console = await startConsole({ app, settings, started, cluster, caller })
  const gateway = topology.gateway ? await startGateway({ app, settings, cluster, hosts }) : undefined
  if (gateway !== undefined) {
    started.push((options) => gateway.stop(options))
    Object.assign(addresses, gateway.addresses)
  }
  return {
    addresses,
    describe: () => describeApp({ app, topology, addresses, cluster, keyOf: gateway?.keyOf }),
    stop: () => started.stop(),
    failed: databases.exited.then((reason) => {
      if (started.isStopping) return new Promise<never>(() => {})
      throw runtimeError('RUNTIME_DATABASE_GONE', `the embedded PostgreSQL ended by itself: ${reason}`)
    }),
  }
}

/** What was started, stopped in reverse order, once. */
class Stack {
  private readonly stops: Lifecycle['stop'][] = []
  private stopping: Promise<void> | undefined

  push(stop: Lifecycle['stop']): void {
    this.stops.push(stop)
  }

  get isStopping(): boolean {
    return this.stopping !== undefined
  }

  stop(): Promise<void> {
    this.stopping ??= this.unwind()
    return this.stopping
  }

  private async unwind(): Promise<void> {
    const options = { deadlineAtMs: systemClock.now() + STOP_GRACE_MS }
    const errors: unknown[] = []
    for (const stop of this.stops.reverse()) await stop(options).catch((error: unknown) => errors.push(error))
    if (errors.length > 0) throw new AggregateError(errors)
  }
}

async function startConsole(parts: {
  app: App
  settings: RuntimeOptions
  started: Stack
  cluster: OpenCluster
  caller: Caller
}): Promise<string> {
  const { app, settings, started, cluster, caller } = parts
  const host = await createServiceHost({ services: app.services, cluster, caller, routes: 'consoleRoutes' })
  started.push((options) => host.close(options))
  const { port } = await host.listen(settings.console)
  return `http://${printable(settings.console.host)}:${port}`
}

function migrationsOf(app: App): readonly MigrationSet[] {
  const own = app.services.flatMap((service) =>
    service.migrations === undefined
      ? []
      : [{ owner: service.name, folder: service.migrations, placement: service.placement }],
  )
  return [systemMigrations, eventsMigrations, serviceMigrations, gatewayMigrations, ...own]
}

async function seed(services: readonly ServiceDeclaration[], cluster: OpenCluster, caller: Caller): Promise<void> {
  for (const service of services) {
    const run = service.seed as ((input: { data: OpenCluster; services: Caller }) => Promise<void>) | undefined
    await run?.({ data: cluster, services: caller })
  }
}

function consumes(service: ServiceDeclaration): boolean {
  return service.consumers.length > 0
}

function wantedPorts(topology: Topology, settings: RuntimeOptions): WantedPort[] {
  const wanted: WantedPort[] = []
  if (topology.gateway)
    wanted.push({ variable: 'GATEWAY_PORT', ...settings.gateway }, { variable: 'ADMIN_PORT', ...settings.admin })
  if (topology.console) wanted.push({ variable: 'CONSOLE_PORT', ...settings.console })
  if (topology.apart && topology.services.length > 0) wanted.push({ variable: 'PORT', ...settings.services })
  return wanted
}
