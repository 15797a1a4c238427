import { Histogram } from './histogram.ts'
import type { EncodedHistogram } from './histogram-encoding.ts'
import type { Metrics } from './metrics/catalog.ts'
import type { HistogramSeries, ValueSeries } from './metrics/metric.ts'
import type { JourneySecond, RouteSecond, ServiceSecond, ShardSecond } from './second.ts'

/**
 * What counts while requests wait: one meter for each route, service, shard and journey, made once and kept by whoever
 * records. Recording finds nothing by name and allocates nothing. `seal` answers what came since the last time.
 */
const MICROS = 1_000

export class RouteMeter {
  readonly service: string
  readonly route: string
  readonly #method: string
  readonly #path: string
  readonly #metrics: Metrics
  readonly #latency = new Histogram()
  readonly #byStatus = new Map<number, HistogramSeries>()
  #errors = 0

  /** `route` is a method and a path with the names of its parameters: `POST /orders`. */
  constructor(service: string, route: string, metrics: Metrics) {
    const space = route.indexOf(' ')
    this.service = service
    this.route = route
    this.#method = space < 0 ? '' : route.slice(0, space)
    this.#path = route.slice(space + 1)
    this.#metrics = metrics
  }

  record(status: number, durationMs: number): void {
    this.#latency.record(durationMs * MICROS)
    if (status >= 500) this.#errors += 1
    const series = this.#byStatus.get(status) ?? this.#seriesOf(status)
    series.record(durationMs)
  }

  seal(): (RouteSecond & { readonly requests: number }) | undefined {
    const requests = this.#latency.count
    const latency = this.#latency.take()
    if (latency === undefined) return undefined
    const errors = this.#errors
    this.#errors = 0
    return { service: this.service, route: this.route, latency, errors, requests }
  }

  #seriesOf(status: number): HistogramSeries {
    const { httpServerRequestDuration } = this.#metrics
    const series = httpServerRequestDuration.series(this.service, this.#method, this.#path, status)
    this.#byStatus.set(status, series)
    return series
  }
}

/** All requests through the gateway of this process. */
export class GatewayMeter {
  readonly #metrics: Metrics
  readonly #latency = new Histogram()
  readonly #byStatus = new Map<number, HistogramSeries>()

  constructor(metrics: Metrics) {
    this.#metrics = metrics
  }

  record(status: number, durationMs: number): void {
    this.#latency.record(durationMs * MICROS)
    const series = this.#byStatus.get(status) ?? this.#seriesOf(status)
    series.record(durationMs)
  }

  seal(): EncodedHistogram | undefined {
    return this.#latency.take()
  }

  #seriesOf(status: number): HistogramSeries {
    const series = this.#metrics.gatewayRequestDuration.series(status)
    this.#byStatus.set(status, series)
    return series
  }
}

export class ServiceMeter {
  readonly service: string
  readonly #metrics: Metrics
  readonly #deliveryAge = new Histogram()
  readonly #failures: Readonly<Record<'application' | 'database', ValueSeries>>
  #events = 0
  #applicationErrors = 0
  #databaseErrors = 0

  constructor(service: string, metrics: Metrics) {
    this.service = service
    this.#metrics = metrics
    this.#failures = {
      application: metrics.failures.series(service, 'application'),
      database: metrics.failures.series(service, 'database'),
    }
  }

  /** Its consumers committed the effects of a batch; `ageMs` since its oldest event was written. */
  delivered(batch: { readonly events: number; readonly durationMs: number; readonly ageMs: number }): void {
    const { eventsDelivered, deliveryDuration, deliveryAge } = this.#metrics
    this.#events += batch.events
    this.#deliveryAge.record(batch.ageMs * MICROS)
    eventsDelivered.series(this.service).add(batch.events)
    deliveryDuration.series(this.service).record(batch.durationMs)
    deliveryAge.series(this.service).record(Math.max(0, batch.ageMs))
  }

  /** An attempt at an event failed, and will be repeated or not. */
  parked(outcome: 'retrying' | 'dead'): void {
    this.#metrics.eventsFailed.series(this.service, outcome).add()
    this.failed('application')
  }

  /** A handler or the delivery to consumers failed. */
  failed(reason: 'application' | 'database'): void {
    this.#failures[reason].add()
    if (reason === 'database') this.#databaseErrors += 1
    else this.#applicationErrors += 1
  }

  /** `routes`: what its routes have sealed. Undefined when there is nothing to tell. */
  seal(routes: { readonly requests: number; readonly errors: number }): ServiceSecond | undefined {
    const second: ServiceSecond = {
      service: this.service,
      requests: routes.requests,
      events: this.#events,
      deliveryAge: this.#deliveryAge.take(),
      httpErrors: routes.errors,
      applicationErrors: this.#applicationErrors,
      databaseErrors: this.#databaseErrors,
    }
    this.#events = 0
    this.#applicationErrors = 0
    this.#databaseErrors = 0
    const isIdle = second.requests + second.events + second.applicationErrors + second.databaseErrors === 0
    return isIdle ? undefined : second
  }
}

export class ShardMeter {
  readonly shard: number
  readonly #metrics: Metrics
  readonly #transactions = new Histogram()
  readonly #statements = new Histogram()
  readonly #statementSeries: HistogramSeries
  readonly #transactionSeries: Readonly<Record<'committed' | 'failed', HistogramSeries>>
  #transactionsFailed = 0
  #appended = 0
  #pool = { busy: 0, max: 0, waiting: 0 }

  constructor(shard: number, metrics: Metrics) {
    this.shard = shard
    this.#metrics = metrics
    this.#statementSeries = metrics.dbOperationDuration.series('postgresql', shard)
    this.#transactionSeries = {
      committed: metrics.transactionDuration.series(shard, 'committed'),
      failed: metrics.transactionDuration.series(shard, 'failed'),
    }
  }

  transaction(outcome: 'committed' | 'failed', durationMs: number): void {
    this.#transactions.record(durationMs * MICROS)
    if (outcome === 'failed') this.#transactionsFailed += 1
    this.#transactionSeries[outcome].record(durationMs)
  }

  statement(durationMs: number): void {
    this.#statements.record(durationMs * MICROS)
    this.#statementSeries.record(durationMs)
  }

  appended(events: number): void {
    this.#appended += events
    this.#metrics.eventsAppended.series(this.shard).add(events)
  }

  /** How the pool of connections is used at this moment. */
  pool(now: { readonly busy: number; readonly idle: number; readonly max: number; readonly waiting: number }): void {
    const { connections, connectionsMax, connectionsPending } = this.#metrics
    this.#pool = { busy: now.busy, max: now.max, waiting: now.waiting }
    connections.series(this.shard, 'used').set(now.busy)
    connections.series(this.shard, 'idle').set(now.idle)
    connectionsMax.series(this.shard).set(now.max)
    connectionsPending.series(this.shard).set(now.waiting)
  }

  seal(): ShardSecond {
    const second: ShardSecond = {
      shard: this.shard,
      transactions: this.#transactions.take(),
      transactionsFailed: this.#transactionsFailed,
      statements: this.#statements.take(),
      appended: this.#appended,
      connectionsBusy: this.#pool.busy,
      connectionsMax: this.#pool.max,
      waiting: this.#pool.waiting,
    }
    this.#transactionsFailed = 0
    this.#appended = 0
    return second
  }
}

export class JourneyMeter {
  readonly journey: string
  readonly #latency = new Histogram()
  readonly #series: HistogramSeries

  constructor(journey: string, metrics: Metrics) {
    this.journey = journey
    this.#series = metrics.journeyDuration.series(journey)
  }

  /** Clocks of two machines differ: a journey that seems to end before it began took no time. */
  record(durationMs: number): void {
    const duration = Math.max(0, durationMs)
    this.#latency.record(duration * MICROS)
    this.#series.record(duration)
  }

  seal(): JourneySecond | undefined {
    const latency = this.#latency.take()
    return latency === undefined ? undefined : { journey: this.journey, latency }
  }
}
