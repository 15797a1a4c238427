import { type Clock, messageOf, type StopOptions, type TextPage } from '../core/index.ts'
import { Collected } from './collected.ts'
import { Degradations, OthersDegradations } from './degradations.ts'
import type { Exchange, ExchangeKind } from './exchange.ts'
import { SECOND_MS } from './limits.ts'
import { createMetrics, type Metrics } from './metrics/catalog.ts'
import { metricsPage } from './metrics/exposition.ts'
import { ProcessSampler } from './process-sampler.ts'
import { Recorder } from './recorder.ts'
import { decodeSecond, encodeSecond, type Second } from './second.ts'
import { SystemSampler } from './system-sampler.ts'
import { Ticker } from './ticker.ts'
import type { Degradation, InstanceSample, LagSample, TelemetryView, Verdict } from './view.ts'

export type TelemetryOptions = {
  /** Host, process id and a random part: another after each start. */
  readonly instance: string
  /** Of this process. */
  readonly services: readonly string[]
  readonly clock: Clock
  /** How the application's processes tell each other; absent when this is the only one. */
  readonly exchange?: Exchange
  /** Whether to collect what the others measured: true of the process with the console. Default true. */
  readonly collects?: boolean
}

/** What others answer of the view: traces and alerts are parts of their own. */
export type ViewPart = Pick<TelemetryView, 'traces' | 'trace'> | Pick<TelemetryView, 'alerts' | 'verdict'>

/**
 * What is measured in one process, second by second. Meters count; a tick each second seals what they counted, sends
 * it to the process that collects, and there the parts of all processes become the frames of the view.
 */
export type Telemetry = Pick<Recorder, 'gateway' | 'traffic' | 'route' | 'service' | 'shard' | 'journey'> & {
  /** How far behind consumer groups are, until the next call. Told to the other processes unless refused. */
  lag(samples: readonly LagSample[], options?: { readonly isToldOthers: boolean }): void
  /** When another process last told any lag, by the clock; 0 when none has. */
  lagToldAtMs(): number
  /** Of this process, for Prometheus: counters from its start, gauges as of the last second. */
  readonly metrics: Metrics
  /** These metrics as Prometheus reads them. */
  readonly page: TextPage
  /** Called just before a second is sealed: the moment to read gauges, such as the use of a pool. */
  beforeSeal(sample: () => void): void
  /**
   * Calls `listener` with each second of the whole system, in order, once it has settled: at once for a process that
   * is alone, after 2.5 s otherwise. Where `collects` is false it is this process's own.
   */
  onSecond(listener: (second: Second) => void): () => void
  /**
   * A part works worse than it should, but goes on: told to the process that collects with each second. Idempotent;
   * `message` is a sentence for people.
   */
  degraded(part: string, message: string): void
  recovered(part: string): void
  /** Lets others answer their part of the view. */
  show(part: ViewPart): void
  /** Begins to tick, at whole seconds of the clock. */
  start(): void
  /** One tick: seals, sends, settles. `start` calls it; tests may instead. */
  tick(): void
  stop(options?: StopOptions): Promise<void>
}

export function createTelemetry(options: TelemetryOptions): Telemetry & TelemetryView {
  const { clock } = options
  const metrics = createMetrics()
  const recorder = new Recorder(metrics)
  const degradations = new Degradations()
  const process = new Measurement(options, { recorder, metrics, degradations })
  const { collected } = process
  const ticker = new Ticker(
    clock,
    () => process.tick(),
    (error) => telemetry.degraded('telemetry', messageOf(error)),
  )
  const parts: Partial<TelemetryView> = {}
  const telemetry: Telemetry & TelemetryView = {
    metrics,
    page: metricsPage(metrics),
    gateway: recorder.gateway,
    traffic: recorder.traffic,
    route: (service, route) => recorder.route(service, route),
    service: (service) => recorder.service(service),
    shard: (shard) => recorder.shard(shard),
    journey: (journey) => recorder.journey(journey),
    lag(samples, { isToldOthers } = { isToldOthers: true }) {
      process.isLagTold = isToldOthers
      recorder.lag(samples)
    },
    lagToldAtMs: () => process.lagToldAtMs,
    beforeSeal: (sample) => void process.samples.push(sample),
    onSecond: (listener) => collected.onSecond(listener),
    degraded(part, message) {
      if (degradations.degraded(part, message, clock.now())) metrics.degraded.series(part).set(1)
    },
    recovered(part) {
      if (degradations.recovered(part)) metrics.degraded.series(part).set(0)
    },
    show: (part) => void Object.assign(parts, part),
    start: () => ticker.start(),
    tick: () => process.tick(),
    async stop() {
      ticker.stop()
      process.stop()
    },
    history: (sinceMs) => collected.history.since(sinceMs),
    subscribe: (onFrame) => collected.onFrame(onFrame),
    traces: (limit) => parts.traces?.(limit) ?? [],
    trace: (traceId) => parts.trace?.(traceId) ?? [],
    alerts: () => parts.alerts?.() ?? [],
    degradations: () => process.degradations(),
    verdict: () => parts.verdict?.() ?? plainVerdict(process.degradations()),
  }
  return telemetry
}

type Measured = {
  readonly recorder: Recorder
  readonly metrics: Metrics
  readonly degradations: Degradations
}

/** The tick of one process: what it measured is sealed and sent, what the others sent is collected. */
class Measurement {
  readonly collected: Collected
  /** Called before each sealing. */
  readonly samples: (() => void)[] = []
  isLagTold = true
  /** When another process last told any; 0 when none has. */
  lagToldAtMs = 0
  readonly #options: TelemetryOptions
  readonly #recorder: Recorder
  readonly #metrics: Metrics
  readonly #degradations: Degradations
  readonly #others: OthersDegradations
  readonly #sampler = new ProcessSampler()
  readonly #system: SystemSampler
  readonly #endReceiving: (() => void) | undefined
  #sealedAtMs = 0

  constructor(options: TelemetryOptions, { recorder, metrics, degradations }: Measured) {
    const { exchange, collects = true } = options
    this.#options = options
    this.#recorder = recorder
    this.#metrics = metrics
    this.#degradations = degradations
    this.#others = new OthersDegradations(options.instance)
    this.#system = new SystemSampler(metrics)
    this.collected = new Collected(exchange === undefined || !collects)
    this.collected.onSecond((second) => this.#others.observe(second))
    this.#endReceiving = collects ? exchange?.receive((kind, payload) => this.#receive(kind, payload)) : undefined
  }

  tick(): void {
    const { clock, exchange } = this.#options
    const nowMs = clock.now()
    const atMs = Math.floor(nowMs / SECOND_MS) * SECOND_MS
    // When the clock was set back, what is recorded meanwhile waits for the next second that is new.
    if (atMs > this.#sealedAtMs) {
      this.#sealedAtMs = atMs
      const second = this.#seal(atMs)
      this.collected.add(second)
      exchange?.publish('second', encodeSecond(this.isLagTold ? second : { ...second, lag: [] }))
    }
    this.collected.settle(nowMs)
  }

  /** Those of this process as they are now, of others as they told them. */
  degradations(): readonly Degradation[] {
    return this.#others.mergedWith(this.#degradations.all())
  }

  stop(): void {
    this.#endReceiving?.()
    this.#sampler.stop()
  }

  #seal(atMs: number): Second {
    for (const sample of this.samples) sample()
    const { eventLoopDelayP50Ms, eventLoopDelayMaxMs, ...own } = this.#sampler.sample()
    const instance: InstanceSample = { instance: this.#options.instance, services: this.#options.services, ...own }
    this.#system.sample({ instance, eventLoopDelayP50Ms, eventLoopDelayMaxMs })
    const degradations = this.#degradations.all().map((one) => ({ ...one, instance: instance.instance }))
    return { ...this.#recorder.seal(atMs, instance), degradations }
  }

  #receive(kind: ExchangeKind, payload: Uint8Array): void {
    if (kind !== 'second') return
    const second = decodeSecond(payload)
    if (second === undefined || !this.collected.add(second)) this.#metrics.exchangeLost.series().add()
    else if (second.lag.length > 0) this.lagToldAtMs = this.#options.clock.now()
  }
}

/** Until somebody who judges shows a better one. */
function plainVerdict(degradations: readonly Degradation[]): Verdict {
  const [first, ...others] = degradations
  if (first === undefined) return { state: 'healthy', sentence: 'All is well.' }
  const more = others.length === 0 ? '' : ` And ${others.length} more.`
  return { state: 'degraded', sentence: `${first.part}: ${first.message}.${more}` }
}
