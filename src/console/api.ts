import type { Clock } from '../core/index.ts'
import type { TelemetryView } from '../telemetry/index.ts'
import { consoleError } from './errors.ts'
import { TRACES_DEFAULT, TRACES_MAX } from './limits.ts'
import { wholeNumber } from './query.ts'
import { stateOf } from './state.ts'
import type { Topology } from './topology.ts'

export type ApiOptions = { readonly view: TelemetryView; readonly topology: Topology; readonly clock: Clock }

/** What `/api/…` answers, by path; undefined where there is nothing. Throws operating errors of the console. */
export type Api = (path: string, query: URLSearchParams) => unknown

/** Frames of this long ago are sent when `since` is absent: what the charts show. */
const HISTORY_MS = 1_800_000

export function createApi({ view, topology, clock }: ApiOptions): Api {
  const answers: Readonly<Record<string, (query: URLSearchParams) => unknown>> = {
    '/api/topology': () => topology,
    '/api/verdict': () => view.verdict(),
    '/api/alerts': () => stateOf(view),
    '/api/frames': (query) => {
      const sinceMs = wholeNumber('since', query.get('since')) ?? clock.now() - HISTORY_MS
      return { frames: view.history(sinceMs) }
    },
    '/api/traces': (query) => {
      const limit = wholeNumber('limit', query.get('limit'), TRACES_MAX) ?? TRACES_DEFAULT
      return { traces: view.traces(limit) }
    },
  }
  return (path, query) => {
    const traceId = /^\/api\/traces\/([0-9a-f]{1,64})$/.exec(path)?.[1]
    return traceId === undefined ? answers[path]?.(query) : traceOf(view, traceId)
  }
}

function traceOf(view: TelemetryView, traceId: string) {
  const spans = view.trace(traceId)
  if (spans.length === 0) throw consoleError('CONSOLE_TRACE_UNKNOWN', `trace ${traceId} is not kept here`)
  return { traceId, spans }
}
