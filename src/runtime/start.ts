import { createConsole } from '../console/index.ts'
import { type App, assertLimits, delay, isLoopbackName, type ServiceDeclaration } from '../core/index.ts'
import { type MigrationSet, type OpenCluster, openCluster, systemMigrations } from '../data/index.ts'
import {
  type BrokerUse,
  eventsMigrations,
  keepLog,
  keepLogIntervalMs,
  prepareLog,
  retentionOf,
  startEvents,
} from '../events/index.ts'
import { gatewayMigrations } from '../gateway/index.ts'
import {
  type Caller,
  createCaching,
  createCaller,
  createServiceHost,
  purgeIdempotencyKeys,
  purgeInvalidations,
  type ServiceHost,
  type ServiceHostOptions,
  serviceMigrations,
} from '../service/index.ts'
import type { TelemetryView } from '../telemetry/index.ts'
import { logAccess } from './access-log.ts'
import { eventsAddress, openEventsBroker } from './broker.ts'
import { consoleEvents } from './console-events.ts'
import { type Databases, startDatabases } from './database.ts'
import { DatabaseWatch } from './database-watch.ts'
import { type Addresses, describeApp } from './describe.ts'
import { runtimeError } from './errors.ts'
import { logFailures } from './failures.ts'
import { startGateway } from './gateway.ts'
import { isGatewayAlone, startGatewayAlone } from './gateway-alone.ts'
import { pluginsWith } from './gateway-plugins.ts'
import { ProcessHealth } from './health.ts'
import { keepHouse } from './housekeeping.ts'
import {
  CONNECTIONS_STOP_MS,
  DATABASE_STOP_MS,
  HOUSEKEEPING_DELAY_MS,
  HOUSEKEEPING_INTERVAL_MS,
  IDEMPOTENCY_KEPT_MS,
  INVALIDATIONS_PURGE_INTERVAL_MS,
} from './limits.ts'
import { openLog } from './log.ts'
import { type RuntimeOptions, readOptions } from './options.ts'
import { assertPortsFree, listenOn, originAt, type WantedPort, wantedOf } from './ports.ts'
import { StartedParts } from './started-parts.ts'
import { prepareTelemetry, processName } from './telemetry.ts'
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
  if (topology.apart && settings.databaseUrls === undefined && !isGatewayAlone(topology, settings)) {
    throw runtimeError(
      'RUNTIME_DATABASE_NEEDED',
      '--only runs a part of the application, and parts share databases: run `groundswell database`, or use servers of your own, and set DATABASE_URLS',
    )
  }
  assertAdminGuarded(topology, settings)
  // Before anything is started: a mistake in a plugin is to be seen at once.
  if (topology.gateway) pluginsWith({ logDir: settings.gatewayLogDir, own: app.gateway.plugins })
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
    // Once interrupted, what a step fails of is the interruption: Ctrl-C may reach a program that it runs as well.
    throw await stopAfter(options.signal?.aborted ? options.signal.reason : error, started)
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

/** Where state is. */
type Engines = { readonly cluster: OpenCluster; readonly broker: BrokerUse | undefined }

async function startParts(parts: Parts): Promise<RunningApp> {
  const { app, settings, topology, started, health, log } = parts
  startLogs(settings, started)
  if (isGatewayAlone(topology, settings)) {
    const alone = await startGatewayAlone(parts)
    return { ...alone, ...endings(parts, NO_DATABASES) }
  }
  const databases = await startDatabases(settings, log)
  started.push('databases', (options) => databases.stop(options), DATABASE_STOP_MS)
  const cluster = await openCluster({
    urls: databases.urls,
    connectionsMax: settings.connectionsMax,
    applicationName: 'groundswell',
  })
  started.push('connections', (options) => cluster.close(options), CONNECTIONS_STOP_MS)
  const addresses: { -readonly [Name in keyof Addresses]: Addresses[Name] } = { databases: databases.source }
  const broker = await openEventsBroker(app, settings)
  if (broker !== undefined) started.push('broker', () => broker.engine.close())
  Object.assign(addresses, eventsAddress(settings))
  const serving = await prepareServing(parts, { cluster, broker })
  const { host, hosts, telemetry, metrics, shared } = serving
  // Before the migrations, which may take minutes: meanwhile `/livez` answers, and `/readyz` says what is under way.
  if (topology.apart) {
    addresses.services = originAt(settings.services.host, await listenOn(wantedOf(settings).services, host.listen))
  }
  log('applying migrations')
  await cluster.migrate(migrationsOf(app), log)
  await cluster.loadDirectory()
  await startHousekeeping(parts, cluster)
  await shared.caching.start()
  telemetry.start()
  const { sampleTrace } = await startTraces({ app, topology, settings, started, ...telemetry })

  log('starting services')
  for (const service of topology.services) hosts.set(service.name, host)
  await seed(topology.services, cluster, shared.caller)
  log('starting the delivery of events')
  await startDelivery(parts, { cluster, broker })
  // Closing is idempotent: services refuse what is new before delivery ends, not after.
  started.push('services', (options) => host.close(options))
  log('opening ports')
  const view = telemetry.telemetry
  // Known once the gateway is up, which is after the console.
  const adminUrl = () => addresses.admin ?? settings.adminUrl
  if (topology.console)
    addresses.console = await startConsole({ app, settings, started, shared, broker, view, adminUrl })
  const gateway = topology.gateway
    ? await startGateway({ app, settings, started, health, cluster, hosts, metrics, sampleTrace, telemetry: view })
    : undefined
  Object.assign(addresses, gateway?.addresses)
  if (topology.services.length > 0) {
    started.push('database watch', health.watch(new DatabaseWatch({ shards: cluster.shards })))
  }
  health.started()
  return {
    addresses,
    telemetry: view,
    describe: () => describeApp({ app, topology, addresses, shards: cluster.shards, keyOf: gateway?.keyOf }),
    ...endings(parts, databases),
  }
}

/** There are none that could end. */
const NO_DATABASES: Pick<Databases, 'exited' | 'whyGone'> = { exited: new Promise(() => {}), whyGone: String }

function startLogs(settings: RuntimeOptions, started: StartedParts): void {
  const write = openLog(settings.logLevel)
  started.push('the log of failures', logFailures(write))
  if (!settings.accessLog) return
  const end = logAccess(write)
  started.push('the access log', async () => end())
}

/** Everything that answers requests, ready to listen but not started: until then routes refuse with 503. */
async function prepareServing({ app, settings, topology, started, health }: Parts, { cluster, broker }: Engines) {
  const hosts = new Map<string, ServiceHost>()
  const caller = createCaller({ locals: hosts, origin: settings.originOf })
  const caching = createCaching({ cluster, ...secondLevelOf(app, settings) })
  started.push('caches', (options) => caching.stop(options))
  const telemetry = prepareTelemetry({ app, topology, settings, cluster, broker })
  started.push('telemetry', telemetry.stop)
  const metrics = settings.telemetry === 'off' ? {} : { metrics: telemetry.telemetry.page }
  const shared = { cluster, caller, caching, health, ...metrics }
  const host = await createServiceHost({ services: topology.services, routes: 'routes', ...shared })
  started.push('services', (options) => host.close(options))
  return { host, hosts, telemetry, metrics, shared }
}

async function startHousekeeping({ settings, started }: Parts, cluster: OpenCluster): Promise<void> {
  const retention = retentionOf(settings.eventsRetentionMs)
  // Before anything emits: after a long time without any process there is no period for now.
  await prepareLog(cluster, retention)
  const keep = (name: string, task: () => Promise<unknown>, intervalMs = HOUSEKEEPING_INTERVAL_MS) =>
    started.push('housekeeping', keepHouse(name, task, { delayMs: HOUSEKEEPING_DELAY_MS, intervalMs }))
  keep('idempotency keys', () => purgeIdempotencyKeys(cluster, IDEMPOTENCY_KEPT_MS))
  keep('invalidations', () => purgeInvalidations(cluster), INVALIDATIONS_PURGE_INTERVAL_MS)
  const logIntervalMs = Math.min(HOUSEKEEPING_INTERVAL_MS, keepLogIntervalMs(retention))
  keep('event log', () => keepLog(cluster, retention), logIntervalMs)
}

async function startDelivery({ settings, topology, started }: Parts, { cluster, broker }: Engines): Promise<void> {
  const consuming = topology.services.filter(({ consumers }) => consumers.length > 0)
  const events = await startEvents({
    cluster,
    groups: consuming.map(({ name, consumers }) => ({ name, consumers })),
    owner: processName,
    broker,
    sequence: topology.services.length > 0,
    ...(settings.eventsAttemptsMax === undefined ? {} : { retry: { attemptsMax: settings.eventsAttemptsMax } }),
  })
  started.push('events', (options) => events.stop(options))
}

/** How a running application ends: when it is told to, or because its databases are gone. */
function endings(
  { settings, started, health }: Parts,
  databases: Pick<Databases, 'exited' | 'whyGone'>,
): Pick<RunningApp, 'stop' | 'failed'> {
  let isGone = false
  let stopping: Promise<void> | undefined
  const stop = async () => {
    health.draining()
    await delay(settings.stopDelayMs)
    // Without the databases no part can finish its work: that they are gone says it all.
    await started.stop().catch((error: unknown) => isGone || Promise.reject(error))
  }
  return {
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
  shared: Omit<ServiceHostOptions, 'services' | 'routes'>
  broker: BrokerUse | undefined
  view: TelemetryView
  adminUrl: () => string | undefined
}): Promise<string> {
  const { app, settings, started, shared, broker, view, adminUrl } = parts
  const host = await createServiceHost({ services: app.services, routes: 'consoleRoutes', ...shared })
  started.push('pages of services', (options) => host.close(options))
  const { cluster } = shared
  const pages = await createConsole({
    app,
    view,
    shards: cluster.shards,
    pages: host.dispatch,
    adminUrl,
    events: consoleEvents(cluster, broker),
  })
  started.push('console', (options) => pages.close(options))
  return originAt(settings.console.host, await listenOn(wantedOf(settings).console, pages.listen))
}

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

/** The Admin API refuses this as well, but only once everything else has been started. */
function assertAdminGuarded(topology: Topology, { admin }: RuntimeOptions): void {
  if (!topology.gateway || admin.token !== undefined || isLoopbackName(admin.host)) return
  throw runtimeError(
    'RUNTIME_OPTIONS_INVALID',
    `ADMIN_HOST is "${admin.host}", which would open the Admin API to others: set ADMIN_TOKEN too, or leave ADMIN_HOST at 127.0.0.1`,
  )
}

function wantedPorts(topology: Topology, settings: RuntimeOptions): WantedPort[] {
  const { gateway, gatewayTls, admin, console, services } = wantedOf(settings)
  return [
    ...(topology.gateway ? [gateway, admin] : []),
    ...(topology.gateway && settings.gatewayTlsPort !== undefined ? [gatewayTls] : []),
    ...(topology.console ? [console] : []),
    ...(topology.apart ? [services] : []),
  ]
}
