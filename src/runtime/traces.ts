import type { App } from '../core/index.ts'
import { createSampler, createTraces, type Traces } from '../telemetry/index.ts'
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
  readonly started: StartedParts
}

/** Keeps traces from here on: of this process, and of the others as far as they share. */
export async function startTraces({ app, settings, started }: TracesParts): Promise<RunningTraces> {
  const traces = createTraces()
  started.push('traces', (options) => traces.stop(options))
  await traces.start()
  const unsubscribe = recordSpans(traces, app)
  started.push('spans', async () => unsubscribe())
  return { traces, sampleTrace: createSampler(settings.tracesPerSecond) }
}
