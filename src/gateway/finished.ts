import { requestFinished } from './channels.ts'
import type { Exchange } from './exchange.ts'

/** The client left before it had an answer: nginx's own status. */
const CLIENT_CLOSED_REQUEST = 499

/** Tells those who listen what became of a request. `bytesBefore`: what its connection had carried before it. */
export function publishFinished(exchange: Exchange, bytesBefore: number): void {
  const { dispatchedAtMs, respondedAtMs, target } = exchange
  const nowMs = performance.now()
  requestFinished.publish({
    method: exchange.request.method ?? '',
    route: target?.route.id,
    routeName: target?.route.name ?? undefined,
    service: target?.service?.id,
    consumer: exchange.consumer?.id,
    status: exchange.status === 0 ? CLIENT_CLOSED_REQUEST : exchange.status,
    upstreamMs: dispatchedAtMs === undefined ? undefined : (respondedAtMs ?? nowMs) - dispatchedAtMs,
    totalMs: nowMs - exchange.startedAtMs,
    bytes: exchange.request.socket.bytesWritten - bytesBefore,
    requestId: exchange.requestId,
    traceparent: exchange.traceparent,
    parentSpanId: exchange.parentSpanId,
  })
}
