import type { App } from '../core/index.ts'
import {
  createSampler,
  createTraces,
  type Exchange,
  type OtlpExporter,
  startOtlpExporter,
  type Telemetry,
  type Traces,
} from '../telemetry/index.ts'
import { exportFailed } from './channels.ts'
import type { RuntimeOptions } from './options.ts'
import { recordSpans } from './spans.ts'
import type { StartedParts } from './started-parts.ts'
import { processName } from './telemetry.ts'
import type { Topology } from './topology.ts'

export type TracesParts = {
  readonly app: App
  /** The process with the console hears of the others' spans. */
  readonly topology: Pick<Topology, 'console'>
  readonly settings: Pick<RuntimeOptions, 'telemetry' | 'tracesPerSecond' | 'otlpEndpoint'>
  readonly started: StartedParts
  /** Shows the traces, and where they cannot be exported, that. */
  readonly telemetry: Telemetry
  readonly exchange: Exchange | undefined
}

export type RunningTraces = {
  /** Whether the gateway may keep the trace of one more request. */
  readonly sampleTrace: () => boolean
}

/** Keeps traces from here on, of this process and of those that share; with `TELEMETRY=traces` only. */
export async function startTraces(parts: TracesParts): Promise<RunningTraces> {
  const { app, topology, settings, started, telemetry, exchange } = parts
  if (settings.telemetry !== 'traces') return { sampleTrace: () => false }
  const exporter = await startExport(parts)
  if (exporter !== undefined) started.push('the export of spans', exporter.stop)
  const traces = createTraces({
    exporters: exporter === undefined ? [] : [exporter.take],
    ...(exchange === undefined ? {} : { share: (payload) => exchange.publish('spans', payload) }),
  })
  started.push('traces', (options) => traces.stop(options))
  await traces.start()
  const ends = [recordSpans(traces, app)]
  if (topology.console && exchange !== undefined) {
    ends.push(exchange.receive((kind, payload) => kind === 'spans' && traces.receive(payload)))
  }
  started.push('spans', async () => {
    for (const end of ends) end()
  })
  telemetry.beforeSeal(() => countSpans(telemetry, traces, exporter))
  telemetry.show({ traces: (limit) => traces.traces(limit), trace: (traceId) => traces.trace(traceId) })
  return { sampleTrace: createSampler(settings.tracesPerSecond) }
}

function countSpans({ metrics }: Telemetry, traces: Traces, exporter: OtlpExporter | undefined): void {
  const { spansKept, spansDropped, spansUnshared } = traces.stats()
  metrics.spans.series('kept').set(spansKept)
  metrics.spans.series('dropped').set(spansDropped)
  metrics.spans.series('unshared').set(spansUnshared)
  if (exporter === undefined) return
  const { sent, dropped } = exporter.stats()
  metrics.spans.series('exported').set(sent)
  metrics.spans.series('export_dropped').set(dropped)
}

const COLLECTOR = 'export of spans'

async function startExport({ app, settings, telemetry }: TracesParts): Promise<OtlpExporter | undefined> {
  const { otlpEndpoint: endpoint } = settings
  if (endpoint === undefined) return undefined
  // Without what else the URL may hold, such as a password.
  const collector = new URL(endpoint).host
  return startOtlpExporter({
    endpoint,
    namespace: app.name,
    instance: processName,
    onState(reason) {
      if (reason === undefined) return telemetry.recovered(COLLECTOR)
      telemetry.degraded(COLLECTOR, `the collector at ${collector} does not take spans: ${reason}`)
      exportFailed.publish({ collector, reason })
    },
  })
}
