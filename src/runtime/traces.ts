import type { App } from '../core/index.ts'
import { createSampler, createTraces, startOtlpExporter, type Traces } from '../telemetry/index.ts'
import { exportFailed } from './channels.ts'
import type { RuntimeOptions } from './options.ts'
import { recordSpans } from './spans.ts'
import type { StartedParts } from './started-parts.ts'

export type RunningTraces = {
  readonly traces: Traces
  /** Whether the gateway may keep the trace of one more request. */
  readonly sampleTrace: () => boolean
}

export type TracesParts = {
  readonly app: App
  readonly settings: RuntimeOptions
  /** Host, process id and a random part: another after each start. */
  readonly instance: string
  readonly started: StartedParts
}

/** Keeps traces from here on: of this process, and of the others as far as they share. */
export async function startTraces({ app, settings, instance, started }: TracesParts): Promise<RunningTraces> {
  const { otlpEndpoint: endpoint } = settings
  const exporter = endpoint === undefined ? undefined : await startExport({ endpoint, namespace: app.name, instance })
  if (exporter !== undefined) started.push('the export of spans', exporter.stop)
  const traces = createTraces({ exporters: exporter === undefined ? [] : [exporter.take] })
  started.push('traces', (options) => traces.stop(options))
  await traces.start()
  const unsubscribe = recordSpans(traces, app)
  started.push('spans', async () => unsubscribe())
  return { traces, sampleTrace: createSampler(settings.tracesPerSecond) }
}

function startExport(options: { endpoint: string; namespace: string; instance: string }) {
  // Without what else the URL may hold, such as a password.
  const collector = new URL(options.endpoint).host
  const onState = (reason: string | undefined) => {
    if (reason !== undefined) exportFailed.publish({ collector, reason })
  }
  return startOtlpExporter({ ...options, onState })
}
