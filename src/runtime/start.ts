import { hostname } from 'node:os'
import { type App, assertLimits, delay, newId, type ServiceDeclaration } from '../core/index.ts'
import { type MigrationSet, type OpenCluster, openCluster, systemMigrations } from '../data/index.ts'
import { eventsMigrations, startEvents } from '../events/index.ts'
import { gatewayMigrations, isLoopbackName } from '../gateway/index.ts'
import {
  type Caller,
  createCaller,
  createServiceHost,
  purgeIdempotencyKeys,
  type ServiceHost,
  serviceMigrations,
} from '../service/index.ts'
import { startDatabases } from './database.ts'
import { DatabaseWatch } from './database-watch.ts'
import { type Addresses, describeApp } from './describe.ts'
import { runtimeError } from './errors.ts'
import { logFailures } from './failures.ts'
import { startGateway } from './gateway.ts'
import { ProcessHealth } from './health.ts'
import { keepHouse } from './housekeeping.ts'
import { CONNECTIONS_STOP_MS, DATABASE_STOP_MS, IDEMPOTENCY_KEPT_MS } from './limits.ts'
import { type RuntimeOptions, readOptions } from './options.ts'
import { assertPortsFree, listenOn, originAt, type WantedPort, wantedOf } from './ports.ts'
import { StartedParts } from './started-parts.ts'
import { type Topology, topologyOf } from './topology.ts'

export type StartOptions = {
  readonly env: NodeJS.ProcessEnv
  /** Services of the application, `gateway`, `console`; everything when absent. */
  readonly only?: readonly string[]
  /** Receives lines about progress, for people. */
  readonly log: (line: string) => void
  /** Interrupts a start at its next step: what was started is stopped again, and the signal's reason is thrown. */
  readonly signal?: AbortSignal
}

export type RunningApp = {
  readonly addresses: Addresses
  /** The table of services, routes, events, shards and addresses, with a request that works. */
  describe(): Promise<string>
  /**
   * Says on `/readyz` that it drains, waits for STOP_DELAY_MS, and drains from the top down: gateway, services, events,
   * databases. Throws RUNTIME_STOP_FAILED when a part did not stop, after all others have. Idempotent.
   */
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
    throw runtimeError(
      'RUNTIME_DATABASE_NEEDED',
      '--only runs a part of the application, and parts share databases: run `groundswell database`, or use servers of your own, and set DATABASE_URLS',
    )
  }
  assertAdminGuarded(topology, settings)
  await assertPortsFree(wantedPorts(topology, settings))
  const started = new StartedParts()
  const health = new ProcessHealth()
  // A signal is obeyed wherever there is progress: each line says that one step is whole and another begins.
  const log = (line: string) => {
    options.signal?.throwIfAborted()
    health.starting(line)
    options.log(line)
  }
  try {
    const running = await startParts({ app, settings, topology, started, health, log })
    options.signal?.throwIfAborted()
    return running
  } catch (error) {
    health.draining()
    throw await stopAfter(error, started)
  }
}

type Parts = {
  readonly app: App
  readonly settings: RuntimeOptions
  readonly topology: Topology
  readonly started: StartedParts
  readonly health: ProcessHealth
  readonly log: (line: string) => void
}

async function startParts({ app, settings, topology, started, health, log }: Parts): Promise<RunningApp> {
  started.push('the log of failures', logFailures())
  const databases = await startDatabases(settings, log)
  started.push('databases', (options) => databases.stop(options), DATABASE_STOP_MS)
  const cluster = await openCluster({
    urls: databases.urls,
    connectionsMax: settings.connectionsMax,
    applicationName: 'groundswell',
  })
  started.push('connections', (options) => cluster.close(options), CONNECTIONS_STOP_MS)
  const hosts = new Map<string, ServiceHost>()
  const caller = createCaller({ locals: hosts, origin: settings.originOf })
  const host = await createServiceHost({ services: topology.services, cluster, caller, routes: 'routes', health })
  started.push('services', (options) => host.close(options))
  const addresses: { -readonly [Name in keyof Addresses]: Addresses[Name] } = { databases: databases.source }
  // Before the migrations, which may take minutes: meanwhile `/livez` answers, and `/readyz` says what is under way.
  if (topology.apart) {
    addresses.services = originAt(settings.services.host, await listenOn(wantedOf(settings).services, host.listen))
  }
  log('applying migrations')
  await cluster.migrate(migrationsOf(app), log)
  await cluster.loadDirectory()
  const purge = () => purgeIdempotencyKeys(cluster, IDEMPOTENCY_KEPT_MS)
  started.push('housekeeping', keepHouse('idempotency keys', purge))

  log('starting services')
  for (const service of topology.services) hosts.set(service.name, host)
  await seed(topology.services, cluster, caller)
  log('starting the delivery of events')
  const events = await startEvents({
    cluster,
    groups: topology.services.filter(consumes).map((service) => ({ name: service.name, consumers: service.consumers })),
    owner: `${hostname()}:${process.pid}:${newId().slice(-12)}`,
    sequence: topology.services.length > 0,
    ...(settings.eventsAttemptsMax === undefined ? {} : { retry: { attemptsMax: settings.eventsAttemptsMax } }),
  })
  started.push('events', (options) => events.stop(options))
  // Closing is idempotent: services refuse what is new before delivery ends, not after.
  started.push('services', (options) => host.close(options))
  log('opening ports')
  if (topology.console) addresses.console = await startConsole({ app, settings, started, health, cluster, caller })
  const gateway = topology.gateway ? await startGateway({ app, settings, started, health, cluster, hosts }) : undefined
  Object.assign(addresses, gateway?.addresses)
  if (topology.services.length > 0) {
    started.push('database watch', health.watch(new DatabaseWatch({ shards: cluster.shards })))
  }
  health.started()
  let isGone = false
  let stopping: Promise<void> | undefined
  const stop = async () => {
    health.draining()
    await delay(settings.stopDelayMs)
    // Without the databases no part can finish its work: that they are gone says it all.
    await started.stop().catch((error: unknown) => isGone || Promise.reject(error))
  }
  return {
    addresses,
    describe: () => describeApp({ app, topology, addresses, cluster, keyOf: gateway?.keyOf }),
    stop() {
      stopping ??= stop()
      return stopping
    },
    failed: databases.exited.then((reason) => {
      if (started.isStopping) return new Promise<never>(() => {})
      isGone = true
      throw runtimeError('RUNTIME_DATABASE_GONE', databases.whyGone(reason))
    }),
  }
}

/** Stops what was started; returns the error that made it necessary, with that of the stop when there is one. */
async function stopAfter(error: unknown, started: StartedParts): Promise<unknown> {
  try {
    await started.stop()
    return error
  } catch (stopError) {
    return new AggregateError([error, stopError])
  }
}

async function startConsole(parts: {
  app: App
  settings: RuntimeOptions
  started: StartedParts
  health: ProcessHealth
  cluster: OpenCluster
  caller: Caller
}): Promise<string> {
  const { app, settings, started, health, cluster, caller } = parts
  const host = await createServiceHost({ services: app.services, cluster, caller, routes: 'consoleRoutes', health })
  started.push('console', (options) => host.close(options))
  return originAt(settings.console.host, await listenOn(wantedOf(settings).console, host.listen))
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

/** The Admin API refuses this as well, but only once everything else has been started. */
function assertAdminGuarded(topology: Topology, { admin }: RuntimeOptions): void {
  if (!topology.gateway || admin.token !== undefined || isLoopbackName(admin.host)) return
  throw runtimeError(
    'RUNTIME_OPTIONS_INVALID',
    `ADMIN_HOST is "${admin.host}", which would open the Admin API to others: set ADMIN_TOKEN too, or leave ADMIN_HOST at 127.0.0.1`,
  )
}

function wantedPorts(topology: Topology, settings: RuntimeOptions): WantedPort[] {
  const { gateway, admin, console, services } = wantedOf(settings)
  return [
    ...(topology.gateway ? [gateway, admin] : []),
    ...(topology.console ? [console] : []),
    ...(topology.apart ? [services] : []),
  ]
}
