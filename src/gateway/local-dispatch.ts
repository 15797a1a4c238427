import type { Selection } from './balancer/selection.ts'
import type { Exchange } from './exchange.ts'
import { requestWithBody } from './request-body.ts'
import type { LocalUpstream } from './upstream.ts'

export type LocalDispatch = {
  /** How long the service is waited for. */
  readonly timeoutMs: number
  /** The request's, when the service is one of several places. */
  readonly selection?: Selection
  /** What has been read of the request's body already: all of it. */
  readonly body?: Buffer | null
}

/** Hands a request to a service in this process. Throws what the service throws at once. */
export function dispatchLocal(exchange: Exchange, local: LocalUpstream, options: LocalDispatch): void {
  const { timeoutMs, selection, body } = options
  const nowMs = performance.now()
  exchange.dispatchedAtMs ??= nowMs
  exchange.deadlineAtMs = nowMs + timeoutMs
  if (selection !== undefined) exchange.response.once('close', () => judge(exchange, selection))
  local.dispatch(requestWithBody(exchange.request, body ?? exchange.body), exchange.response)
}

/** The gateway answers for a service in this process only when that took too long, or threw. */
function judge(exchange: Exchange, selection: Selection): void {
  if (exchange.exited) selection.failed('timeout')
  else if (exchange.status > 0) selection.answered(exchange.status)
  selection.ended()
}
