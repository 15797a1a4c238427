import { createConsole } from '../console/index.ts'
import { type App, assertLimits, isLoopbackName, type ServiceDeclaration } from '../core/index.ts'
import { type MigrationSet, type OpenCluster, openCluster, systemMigrations } from '../data/index.ts'
import { eventsMigrations, startEvents } from '../events/index.ts'
import { gatewayMigrations } from '../gateway/index.ts'
import {
  type Caller,
  createCaller,
  createServiceHost,
  purgeIdempotencyKeys,
  purgeInvalidations,
  type ServiceHost,
  type ServiceHostOptions,
  serviceMigrations,
  startCaching,
} from '../service/index.ts'
import type { TelemetryView } from '../telemetry/index.ts'
import { logAccess } from './access-log.ts'
import { startDatabases } from './database.ts'
import { type Addresses, describeApp } from './describe.ts'
import { runtimeError } from './errors.ts'
import { logFailures } from './failures.ts'
import { startGateway } from './gateway.ts'
import { keepHouse } from './housekeeping.ts'
import { HOUSEKEEPING_DELAY_MS, IDEMPOTENCY_KEPT_MS, INVALIDATIONS_PURGE_INTERVAL_MS } from './limits.ts'
import { openLog } from './log.ts'
import { type RuntimeOptions, readOptions } from './options.ts'
import { assertPortsFree, listenOn, originAt, type WantedPort, wantedOf } from './ports.ts'
import { StartedParts } from './started-parts.ts'
import { processName, startTelemetry } from './telemetry.ts'
import { runtimeMigrations } from './telemetry-exchange.ts'
import { type Topology, topologyOf } from './topology.ts'
import { startTraces } from './traces.ts'

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
  /** What was measured, of all processes where this one runs the console. */
  readonly telemetry: TelemetryView
  /** The table of services, routes, events, shards and addresses, with a request that works. */
  describe(): Promise<string>
  /**
   * Drains from the top down: gateway, services, events, databases. Throws RUNTIME_STOP_FAILED when a part did not
   * stop, after all others have. Idempotent.
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
  // A signal is obeyed wherever there is progress: each line says that one step is whole and another begins.
  const log = (line: string) => {
    options.signal?.throwIfAborted()
    options.log(line)
  }
  try {
    const running = await startParts({ app, settings, topology, started, log })
    options.signal?.throwIfAborted()
    return running
  } catch (error) {
    throw await stopAfter(error, started)
  }
}

type Parts = {
  readonly app: App
  readonly settings: RuntimeOptions
  readonly topology: Topology
  readonly started: StartedParts
  readonly log: (line: string) => void
}

async function startParts({ app, settings, topology, started, log }: Parts): Promise<RunningApp> {
  const write = openLog(settings.logLevel)
  started.push('the log of failures', logFailures(write))
  if (settings.accessLog) {
    const end = logAccess(write)
    started.push('the access log', async () => end())
  }
  const databases = await startDatabases(settings, log)
  started.push('databases', (options) => databases.stop(options))
  const cluster = await openCluster({
    urls: databases.urls,
    connectionsMax: settings.connectionsMax,
    applicationName: 'groundswell',
  })
  started.push('connections', (options) => cluster.close(options))
  log('applying migrations')
  await cluster.migrate(migrationsOf(app), log)
  await cluster.loadDirectory()
  const purge = () => purgeIdempotencyKeys(cluster, IDEMPOTENCY_KEPT_MS)
  started.push('housekeeping', keepHouse('idempotency keys', purge))
  started.push(
    'housekeeping',
    keepHouse('invalidations', () => purgeInvalidations(cluster), INVALIDATIONS_TIMES),
  )
  const caching = await startCaching({ cluster, ...secondLevelOf(app, settings) })
  started.push('caches', (options) => caching.stop(options))

  const { telemetry, exchange, stop: stopTelemetry } = startTelemetry({ app, topology, settings, cluster })
  started.push('telemetry', stopTelemetry)
  const metrics = settings.telemetry === 'off' ? {} : { metrics: telemetry.page }
  const { sampleTrace } = await startTraces({ app, topology, settings, started, telemetry, exchange })

  log('starting services')
  const hosts = new Map<string, ServiceHost>()
  const caller = createCaller({ locals: hosts, origin: settings.originOf })
  const serving = { cluster, caller, caching, ...metrics }
  const host = await createServiceHost({ services: topology.services, routes: 'routes', ...serving })
  started.push('services', (options) => host.close(options))
  for (const service of topology.services) hosts.set(service.name, host)
  const addresses: { -readonly [Name in keyof Addresses]: Addresses[Name] } = { databases: databases.source }
  if (topology.apart && topology.services.length > 0) {
    addresses.services = originAt(settings.services.host, await listenOn(wantedOf(settings).services, host.listen))
  }
  await seed(topology.services, cluster, caller)
  log('starting the delivery of events')
  const events = await startEvents({
    cluster,
    groups: topology.services.filter(consumes).map((service) => ({ name: service.name, consumers: service.consumers })),
    owner: processName,
    sequence: topology.services.length > 0,
    ...(settings.eventsAttemptsMax === undefined ? {} : { retry: { attemptsMax: settings.eventsAttemptsMax } }),
  })
  started.push('events', (options) => events.stop(options))
  // Closing is idempotent: services refuse what is new before delivery ends, not after.
  started.push('services', (options) => host.close(options))
  log('opening ports')
  if (topology.console) addresses.console = await startConsole({ app, settings, started, serving, view: telemetry })
  const gateway = topology.gateway
    ? await startGateway({ app, settings, started, cluster, hosts, metrics, sampleTrace })
    : undefined
  Object.assign(addresses, gateway?.addresses)
  let isGone = false
  return {
    addresses,
    telemetry,
    describe: () => describeApp({ app, topology, addresses, cluster, keyOf: gateway?.keyOf }),
    async stop() {
      // Without the databases no part can finish its work: that they are gone says it all.
      await started.stop().catch((error: unknown) => isGone || Promise.reject(error))
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
  serving: Omit<ServiceHostOptions, 'services' | 'routes'>
  view: TelemetryView
}): Promise<string> {
  const { app, settings, started, serving, view } = parts
  const host = await createServiceHost({ services: app.services, routes: 'consoleRoutes', ...serving })
  started.push('pages of services', (options) => host.close(options))
  const pages = await createConsole({ app, view, shards: serving.cluster.shards, pages: host.dispatch })
  started.push('console', (options) => pages.close(options))
  return originAt(settings.console.host, await listenOn(wantedOf(settings).console, pages.listen))
}

const INVALIDATIONS_TIMES = { delayMs: HOUSEKEEPING_DELAY_MS, intervalMs: INVALIDATIONS_PURGE_INTERVAL_MS }

function secondLevelOf(app: App, { cacheUrl }: RuntimeOptions) {
  return cacheUrl === undefined ? {} : { second: { url: cacheUrl, prefix: `groundswell:${app.name}` } }
}

function migrationsOf(app: App): readonly MigrationSet[] {
  const own = app.services.flatMap((service) =>
    service.migrations === undefined
      ? []
      : [{ owner: service.name, folder: service.migrations, placement: service.placement }],
  )
  return [systemMigrations, eventsMigrations, serviceMigrations, gatewayMigrations, runtimeMigrations, ...own]
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
    ...(topology.apart && topology.services.length > 0 ? [services] : []),
  ]
}
