import { requestFinished } from './channels.ts'
import type { Exchange } from './exchange.ts'

/** What became of a request: for plugins that log, and for whoever listens. */
export type RequestOutcome = {
  /** 499 when the client left before the head of the response was written, as in nginx. */
  readonly status: number
  /** From handing the request on to the head of the response; undefined when the gateway answered by itself. */
  readonly upstreamMs: number | undefined
  readonly totalMs: number
  /** Of the request, head included. */
  readonly bytesIn: number
  /** Of the response, head included. */
  readonly bytes: number
}

/** The client left before it had an answer: nginx's own status. */
const CLIENT_CLOSED_REQUEST = 499

export function outcomeOf(exchange: Exchange): RequestOutcome {
  const { dispatchedAtMs, peer, respondedAtMs, request, startedAtMs, status } = exchange
  const { socket } = request
  const nowMs = performance.now()
  return {
    status: status === 0 ? CLIENT_CLOSED_REQUEST : status,
    upstreamMs: dispatchedAtMs === undefined ? undefined : (respondedAtMs ?? nowMs) - dispatchedAtMs,
    totalMs: nowMs - startedAtMs,
    bytesIn: socket.bytesRead - peer.receivedBytes,
    bytes: socket.bytesWritten - exchange.sentBytesBefore,
  }
}

/** Tells those who listen what became of a request. */
export function publishFinished(exchange: Exchange, outcome: RequestOutcome): void {
  const { answeredBy, target } = exchange
  requestFinished.publish({
    ...outcome,
    method: exchange.request.method ?? '',
    route: target?.route.id,
    routeName: target?.route.name ?? undefined,
    service: target?.service?.id,
    serviceName: target?.service?.name ?? target?.service?.host,
    consumer: exchange.consumer?.id,
    plugin: answeredBy && { id: answeredBy.id, name: answeredBy.name },
    requestId: exchange.requestId,
    traceparent: exchange.traceparent,
    parentSpanId: exchange.parentSpanId,
  })
}
