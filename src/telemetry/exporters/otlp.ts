import type { HrTime } from '@opentelemetry/api'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace'
import { type Lifecycle, messageOf, untilDeadline } from '../../core/index.ts'
import { telemetryError } from '../errors.ts'
import { EXPORT_BATCH_SPANS_MAX, EXPORT_DELAY_MS, EXPORT_QUEUE_SPANS_MAX, EXPORT_TIMEOUT_MS } from '../traces/limits.ts'
import type { Span } from '../view.ts'

export type OtlpOptions = {
  /** Of the collector, `http://127.0.0.1:4318`; spans go to `/v1/traces` below it. */
  readonly endpoint: string
  /** Of the application. */
  readonly namespace: string
  /** Of this process. */
  readonly instance: string
  /** Called when the collector stops taking spans, with the reason, and with undefined when it takes them again. */
  readonly onState?: (failure: string | undefined) => void
}

export type OtlpStats = {
  /** Spans that wait to be sent. */
  readonly waiting: number
  readonly sent: number
  /** Spans that are lost: there was no room for them, or the collector did not take them in time. */
  readonly dropped: number
}

/** Sends spans to a collector by OTLP/HTTP. `take` never throws and never waits: what there is no room for is lost. */
export type OtlpExporter = Pick<Lifecycle, 'stop'> & {
  take(span: Span): void
  stats(): OtlpStats
}

/** Loads OpenTelemetry's packages, which only who exports needs. Throws TELEMETRY_EXPORTER_MISSING. */
export async function startOtlpExporter(options: OtlpOptions): Promise<OtlpExporter> {
  const { sdk, exporter, resources } = await loadPackages()
  const url = `${options.endpoint.replace(/\/+$/, '')}/v1/traces`
  const counted = new CountedExporter(
    new exporter.OTLPTraceExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS }),
    options.onState,
  )
  const processor = new sdk.BatchSpanProcessor({
    exporter: counted,
    maxQueueSize: EXPORT_QUEUE_SPANS_MAX,
    maxExportBatchSize: EXPORT_BATCH_SPANS_MAX,
    scheduledDelayMillis: EXPORT_DELAY_MS,
    // The exporter ends by itself; this only must not be shorter.
    exportTimeoutMillis: EXPORT_TIMEOUT_MS * 2,
  })
  const resourceOf = memoized((service: string) =>
    resources.resourceFromAttributes({
      'service.name': service,
      'service.namespace': options.namespace,
      'service.instance.id': options.instance,
    }),
  )
  let stopping: Promise<void> | undefined
  return {
    take(span) {
      if (counted.admit()) processor.onEnd(readableSpan(span, resourceOf(span.service)))
    },
    stats: () => counted.stats(),
    async stop(stop) {
      // A collector that does not take the rest loses it: that is counted, and no reason to fail a stop.
      stopping ??= processor.shutdown().catch(() => undefined)
      await untilDeadline(stopping, stop)
    },
  }
}

async function loadPackages() {
  try {
    const [sdk, exporter, resources] = await Promise.all([
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ])
    return { sdk, exporter, resources }
  } catch (cause) {
    const packages =
      '@opentelemetry/api @opentelemetry/sdk-trace @opentelemetry/resources @opentelemetry/exporter-trace-otlp-http'
    const message = `spans cannot be exported: ${messageOf(cause)}; run \`npm install ${packages}\``
    throw telemetryError('TELEMETRY_EXPORTER_MISSING', message, { cause })
  }
}

/** Counts what the batching processor in front of it and the exporter behind it say nothing of. */
class CountedExporter implements SpanExporter {
  readonly #exporter: SpanExporter
  readonly #onState: (failure: string | undefined) => void
  #waiting = 0
  #sent = 0
  #dropped = 0
  #failing = false

  constructor(exporter: SpanExporter, onState: (failure: string | undefined) => void = () => undefined) {
    this.#exporter = exporter
    this.#onState = onState
  }

  /** Whether there is room for one more. */
  admit(): boolean {
    if (this.#waiting >= EXPORT_QUEUE_SPANS_MAX) {
      this.#dropped += 1
      return false
    }
    this.#waiting += 1
    return true
  }

  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    this.#exporter.export(spans, (result) => {
      this.#waiting -= spans.length
      const failed = result.error !== undefined
      if (failed) this.#dropped += spans.length
      else this.#sent += spans.length
      if (failed || this.#failing) this.#onState(failed ? messageOf(result.error) : undefined)
      this.#failing = failed
      done(result)
    })
  }

  forceFlush(): Promise<void> {
    return this.#exporter.forceFlush?.() ?? Promise.resolve()
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown()
  }

  stats(): OtlpStats {
    return { waiting: this.#waiting, sent: this.#sent, dropped: this.#dropped }
  }
}

/** OpenTelemetry's numbers for kinds and states: its enumerations would have to be loaded for them. */
const KINDS = { internal: 0, server: 1, client: 2, producer: 3, consumer: 4 } as const
const STATUS_UNSET = 0
const STATUS_ERROR = 2
const SAMPLED = 1

function readableSpan(span: Span, resource: ReadableSpan['resource']): ReadableSpan {
  const { traceId, spanId, parentSpanId, name, kind, startedAtMs, durationMs, failed, attributes } = span
  return {
    name,
    kind: KINDS[kind],
    spanContext: () => ({ traceId, spanId, traceFlags: SAMPLED }),
    ...(parentSpanId === undefined
      ? {}
      : { parentSpanContext: { traceId, spanId: parentSpanId, traceFlags: SAMPLED } }),
    startTime: hrTime(startedAtMs),
    endTime: hrTime(startedAtMs + durationMs),
    duration: hrTime(durationMs),
    ended: true,
    status: { code: failed ? STATUS_ERROR : STATUS_UNSET },
    attributes: { ...attributes },
    links: [],
    events: [],
    resource,
    instrumentationScope: { name: 'groundswell' },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}

/** Whole seconds and nanoseconds, of a time with at most microseconds. */
function hrTime(ms: number): HrTime {
  const us = Math.round(ms * 1_000)
  return [Math.floor(us / 1_000_000), (us % 1_000_000) * 1_000]
}

/** Services are few: those of one application. */
function memoized<Value>(make: (key: string) => Value): (key: string) => Value {
  const known = new Map<string, Value>()
  return (key) => {
    const value = known.get(key) ?? make(key)
    known.set(key, value)
    return value
  }
}
