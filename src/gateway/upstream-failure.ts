import { messageOf } from '../core/index.ts'
import { upstreamFailed } from './channels.ts'
import type { Exchange } from './exchange.ts'
import { CALL_TIMEOUTS } from './http1/call.ts'

/** What can go wrong with an upstream, by the codes of calls and of the system, and what its client is told. */
export const TIMEOUTS: ReadonlySet<string> = new Set([CALL_TIMEOUTS.connect, CALL_TIMEOUTS.silence, 'ETIMEDOUT'])
const NAME_FAILURES = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME'])

export function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException
  if (code !== undefined || !(error instanceof AggregateError)) return code ?? ''
  return codeOf(error.errors[0] ?? new Error())
}

/** An upstream that did not answer in time is not asked again: its client has waited long enough. */
export function isTimeout(error: Error): boolean {
  return codeOf(error) === CALL_TIMEOUTS.silence
}

/** Kong's answers to what can go wrong with an upstream. */
export function answerTo(error: Error): { readonly status: number; readonly message: string } {
  const code = codeOf(error)
  if (TIMEOUTS.has(code)) return { status: 504, message: 'The upstream server is timing out' }
  if (NAME_FAILURES.has(code)) return { status: 503, message: 'name resolution failed' }
  return { status: 502, message: 'An invalid response was received from the upstream server' }
}

/** What went wrong for which the gateway itself has to find the words. */
const OWN_FAILURES = {
  UPSTREAM_NONE_LEFT: 'no target of the upstream may be asked, or asked again',
  UPSTREAM_HANGS: 'the service in this process has not answered',
  CLIENT_DEADLINE: 'the client waits for less time than the service took',
} as const

export function ownFailure(code: keyof typeof OWN_FAILURES): Error {
  return Object.assign(new Error(OWN_FAILURES[code]), { code })
}

/**
 * Says why a request gets no answer of its upstream, for whoever looks for its id. `upstream` is an origin, `host:port`
 * or a name.
 */
export function tellFailure(
  exchange: Exchange,
  { upstream, status, error }: { readonly upstream: string; readonly status: number; readonly error: Error },
): void {
  const service = exchange.target?.service
  if (!upstreamFailed.hasSubscribers || service === undefined) return
  const { requestId, traceparent } = exchange
  upstreamFailed.publish({
    requestId,
    traceparent,
    service: service.name ?? service.host,
    upstream: upstream.replace(/^https?:\/\//, ''),
    code: codeOf(error) || error.name,
    reason: messageOf(error),
    status,
  })
}
