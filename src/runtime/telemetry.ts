import { hostname } from 'node:os'
import { levelChanged } from '../cache/index.ts'
import {
  type App,
  type Endpoint,
  GroundswellError,
  type Lifecycle,
  messageOf,
  newId,
  systemClock,
} from '../core/index.ts'
import { type OpenCluster, statementFacts, transactionFacts } from '../data/index.ts'
import { appended, type BrokerUse, delivered, emittedOf, parked, workFailed } from '../events/index.ts'
import { type RequestFinished, requestFinished, requestMirrored } from '../gateway/index.ts'
import { failureFacts, requestFacts } from '../service/index.ts'
import {
  Alerts,
  createTelemetry,
  type Exchange,
  type RouteMeter,
  type Telemetry,
  type TelemetryView,
} from '../telemetry/index.ts'
import { recordBroker } from './broker-metrics.ts'
import { recordEventLog } from './event-metrics.ts'
import { recordForKong } from './kong-metrics.ts'
import { pollLag } from './lag-poll.ts'
import type { RuntimeOptions } from './options.ts'
import { exchangeOverHome } from './telemetry-exchange.ts'
import type { Topology } from './topology.ts'

export type TelemetryParts = {
  readonly app: App
  readonly topology: Topology
  readonly settings: Pick<RuntimeOptions, 'telemetry'>
  /** Undefined for a process without databases, which tells the others nothing. */
  readonly cluster: OpenCluster | undefined
  /** Whose lag is asked for too, where events go through one. */
  readonly broker?: BrokerUse | undefined
}

export type PreparedTelemetry = {
  readonly telemetry: Telemetry & TelemetryView
  /** How the processes tell each other; undefined where this is the only one. */
  readonly exchange: Exchange | undefined
  /** Call it once the databases are migrated. */
  readonly start: () => void
  readonly stop: Lifecycle['stop']
}

/** What this process is called wherever processes are told apart: another name after each start. */
export const processName = `${hostname()}:${process.pid}:${newId().slice(-12)}`

/**
 * Makes what the folders publish into measurements. They know nothing of it: it listens to their facts, and asks
 * for what is no fact, such as the use of the pools. With `TELEMETRY=off` nobody listens, and no fact is ever built.
 */
export function prepareTelemetry({ app, topology, settings, cluster, broker }: TelemetryParts): PreparedTelemetry {
  const isOn = settings.telemetry !== 'off'
  const sharedOver = isOn && topology.apart ? cluster : undefined
  const exchange = sharedOver && exchangeOf(sharedOver, () => telemetry)
  const telemetry = createTelemetry({
    instance: processName,
    services: namesOf(topology),
    clock: systemClock,
    collects: topology.console,
    ...(exchange === undefined ? {} : { exchange }),
  })
  if (!isOn) return { telemetry, exchange, start: () => {}, stop: () => telemetry.stop() }
  if (topology.console) judgeSeconds(telemetry)
  // From here on: a second level that is away at the start says so before anything else has begun.
  const ends: End[] = [showCacheLevels(telemetry)]
  return {
    telemetry,
    exchange,
    start() {
      ends.push(...recordFacts(telemetry), recordForKong(telemetry.metrics), ...recordJourneys(app, telemetry))
      ends.push(...recordEventLog(telemetry.metrics))
      if (broker !== undefined) ends.push(...recordBroker(telemetry))
      if (cluster !== undefined) {
        ends.push(pollLag({ cluster, broker, telemetry, standsIn: topology.console }))
        telemetry.beforeSeal(() => samplePools(cluster, telemetry))
      }
      telemetry.start()
    },
    async stop(options) {
      for (const end of ends) await end()
      await telemetry.stop()
      await exchange?.stop(options)
    },
  }
}

/** The console's sentence names a level of the cache that is away, for as long as it is. */
function showCacheLevels(telemetry: Telemetry): End {
  return levelChanged.subscribe(({ level, state, error }) => {
    const part = `cache ${level}`
    if (state === 'up') telemetry.recovered(part)
    else
      telemetry.degraded(
        part,
        `the cache goes on without ${level}${error === undefined ? '' : `: ${messageOf(error)}`}`,
      )
  })
}

/** The process that collects the seconds of all is the one that judges them. */
function judgeSeconds(telemetry: Telemetry & TelemetryView): void {
  const alerts = new Alerts()
  telemetry.onSecond((second) => alerts.observe(second))
  telemetry.show({ alerts: () => alerts.all(), verdict: () => alerts.verdict(telemetry.degradations()) })
}

const EXCHANGE = 'telemetry exchange'

function exchangeOf(cluster: OpenCluster, telemetry: () => Telemetry) {
  return exchangeOverHome({
    home: cluster.home,
    instance: processName,
    onLost: () => telemetry().metrics.exchangeLost.series().add(),
    onState(reason) {
      if (reason === undefined) telemetry().recovered(EXCHANGE)
      else telemetry().degraded(EXCHANGE, `what other processes measure does not arrive: ${reason}`)
    },
  })
}

function namesOf(topology: Topology): readonly string[] {
  return [
    ...(topology.gateway ? ['gateway'] : []),
    ...(topology.console ? ['console'] : []),
    ...topology.services.map((service) => service.name),
  ]
}

type End = () => void | Promise<void>

/** The hot paths: what a request passes here finds its meter by one lookup and allocates nothing. */
function recordFacts(telemetry: Telemetry): readonly End[] {
  const routes = new Map<Endpoint, RouteMeter>()
  const routeOf = (endpoint: Endpoint): RouteMeter => {
    const meter = telemetry.route(endpoint.service, `${endpoint.method} ${endpoint.path}`)
    routes.set(endpoint, meter)
    return meter
  }
  return [
    requestFacts.subscribe(({ endpoint, status, durationMs }) => {
      const meter = routes.get(endpoint) ?? routeOf(endpoint)
      meter.record(status, durationMs)
    }),
    requestMirrored.subscribe(({ outcome }) => telemetry.metrics.mirrored.series(outcome).add()),
    requestFinished.subscribe((fact) => recordTraffic(telemetry, fact)),
    statementFacts.subscribe(({ shard, ms }) => telemetry.shard(shard).statement(ms)),
    transactionFacts.subscribe(({ shard, outcome, ms }) => telemetry.shard(shard).transaction(outcome, ms)),
    appended.subscribe(({ shard, events }) => telemetry.shard(shard).appended(events)),
    delivered.subscribe(({ group, events, durationMs, oldestAtMs }) =>
      telemetry.service(group).delivered({ events, durationMs, ageMs: systemClock.now() - oldestAtMs }),
    ),
    parked.subscribe(({ group, state }) => telemetry.service(group).parked(state)),
    failureFacts.subscribe(({ service, error }) => {
      if (service !== undefined) telemetry.service(service).failed(reasonOf(error))
    }),
    workFailed.subscribe(({ part, error }) => {
      const [, group] = /^group:(.+)$/.exec(part) ?? []
      if (group !== undefined) telemetry.service(group).failed(reasonOf(error))
    }),
  ]
}

function recordTraffic({ gateway, traffic }: Telemetry, fact: RequestFinished): void {
  gateway.record(fact.status, fact.totalMs)
  traffic.record('service', fact.service ?? '', fact)
  traffic.record('route', fact.route ?? '', fact)
  traffic.record('consumer', fact.consumer ?? '', fact)
  if (fact.plugin !== undefined && fact.status >= 400) traffic.rejected(fact.plugin.id)
}

/** Errors of the data layer are the database's; whatever else a handler throws is the application's. */
function reasonOf(error: unknown): 'application' | 'database' {
  return error instanceof GroundswellError && error.code.startsWith('DATA_') ? 'database' : 'application'
}

function recordJourneys(app: App, telemetry: Telemetry): readonly End[] {
  return app.journeys.map(({ name, endsWith, startedAtMs }) => {
    const meter = telemetry.journey(name)
    return emittedOf(endsWith.name).subscribe(({ payload, occurredAtMs }) => {
      const startMs = attempt(
        () => startedAtMs(payload as never),
        (error) => telemetry.degraded(`journey ${name}`, `its beginning cannot be read: ${String(error)}`),
      )
      if (startMs !== undefined) meter.record(occurredAtMs - startMs)
    })
  })
}

/** The application's own function runs here, in the middle of others' work, which must not fail by it. */
function attempt<T>(run: () => T, onError: (error: unknown) => void): T | undefined {
  try {
    return run()
  } catch (error) {
    onError(error)
    return undefined
  }
}

function samplePools(cluster: OpenCluster, telemetry: Telemetry): void {
  for (const [shard, { total, idle, max, waiting }] of cluster.stats().entries()) {
    telemetry.shard(shard).pool({ busy: total - idle, idle, max, waiting })
  }
}
