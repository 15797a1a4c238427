import { requestFinished } from '../gateway/index.ts'
import { traceFields, type WriteEntry } from './log.ts'

/** A line for each request that the gateway is done with, until it is stopped. */
export function logAccess(write: WriteEntry): () => void {
  return requestFinished.subscribe((fact) => {
    const { method, routeName: route, consumer, status, totalMs, upstreamMs, bytes, requestId, traceparent } = fact
    const fields = {
      ...traceFields(traceparent),
      request_id: requestId,
      method,
      route,
      consumer,
      status,
      ms: rounded(totalMs),
      upstreamMs: upstreamMs === undefined ? undefined : rounded(upstreamMs),
      bytes,
    }
    write({ level: 'info', message: 'request', kind: 'access', fields })
  })
}

/** To microseconds: more digits are noise, and bytes of log. */
function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000
}
