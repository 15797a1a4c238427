import { Agent, type Dispatcher } from 'undici'
import { delay, type GroundswellError, type Method, messageOf, remainingMs } from '../core/index.ts'
import { serviceError } from './errors.ts'
import {
  CALL_ATTEMPTS_MAX,
  CALL_CONNECT_TIMEOUT_MS,
  CALL_CONNECTIONS_MAX,
  CALL_KEEP_ALIVE_MS,
  REPLY_BYTES_MAX,
} from './limits.ts'
import { backoffMs, RetryBudget } from './retry.ts'
import { headersOf, pathOf, type WireAnswer, type WireCall } from './wire.ts'

/** Runs a typed call by HTTP against `origin`. */
export type Remote = (origin: string, call: WireCall) => Promise<WireAnswer>

/** Keeps connections open between calls. Needs no closing: idle sockets do not hold the process. */
export function createRemote(): Remote {
  const agent = new Agent({
    connections: CALL_CONNECTIONS_MAX,
    pipelining: 1,
    keepAliveTimeout: CALL_KEEP_ALIVE_MS,
    connect: { timeout: CALL_CONNECT_TIMEOUT_MS },
    maxResponseSize: REPLY_BYTES_MAX,
  })
  const budgets = new Map<string, RetryBudget>()
  return (origin, call) => {
    const { service } = call.endpoint
    const budget = budgets.get(service) ?? new RetryBudget()
    budgets.set(service, budget)
    return callWithRetries({ agent, origin, call, budget })
  }
}

type Attempt = { readonly agent: Agent; readonly origin: string; readonly call: WireCall; readonly budget: RetryBudget }

/** What became of one attempt: an answer, or an error that says whether the other side can have seen the request. */
type Outcome = { readonly answer: WireAnswer } | { readonly error: GroundswellError; readonly connected: boolean }

async function callWithRetries(attempt: Attempt): Promise<WireAnswer> {
  const { call, budget } = attempt
  budget.deposit()
  for (let count = 1; ; count++) {
    const outcome = await callOnce(attempt)
    const again = isSafeToRepeat(call.endpoint.method, outcome) && count < CALL_ATTEMPTS_MAX
    const pauseMs = again ? backoffMs(count) : 0
    if (!again || pauseMs >= remainingMs(call.context) || !budget.spend()) {
      if ('answer' in outcome) return outcome.answer
      throw outcome.error
    }
    await delay(pauseMs)
  }
}

/**
 * What may run twice may be repeated when it failed for now; what may not, only when no connection came about, since
 * then the other side has seen nothing. An answer that cannot be read would be the same again.
 */
function isSafeToRepeat(method: Method, outcome: Outcome): boolean {
  const idempotent = method === 'GET' || method === 'PUT' || method === 'DELETE'
  if ('answer' in outcome) return idempotent && PASSING_STATUSES.has(outcome.answer.status)
  return outcome.error.retryable && (idempotent || !outcome.connected)
}

const PASSING_STATUSES = new Set([502, 503, 504])

async function callOnce({ agent, origin, call }: Attempt): Promise<Outcome> {
  const leftMs = remainingMs(call.context)
  const signal = AbortSignal.timeout(Math.max(1, leftMs))
  try {
    const response = await agent.request({
      origin,
      path: pathOf(call),
      method: call.endpoint.method,
      headers: headersOf(call),
      body: call.body === undefined ? null : JSON.stringify(call.body),
      signal,
    })
    return { answer: { status: response.statusCode, body: await readBody(response) } }
  } catch (error) {
    return failureOf(error, signal.aborted, { origin, call })
  }
}

async function readBody({ headers, body }: Dispatcher.ResponseData): Promise<unknown> {
  const text = await body.text()
  if (text === '') return undefined
  return String(headers['content-type']).includes('json') ? (JSON.parse(text) as unknown) : text
}

function failureOf(error: unknown, late: boolean, { origin, call }: { origin: string; call: WireCall }): Outcome {
  const name = `${call.endpoint.service} ${call.endpoint.method} ${call.endpoint.path}`
  if (late) {
    const message = `${name} at ${origin} did not answer in time`
    return { error: serviceError('SERVICE_DEADLINE_PASSED', message, { cause: error }), connected: true }
  }
  if (error instanceof SyntaxError) {
    const message = `${name} at ${origin} answered what is not JSON`
    return { error: serviceError('SERVICE_REPLY_INVALID', message, { cause: error }), connected: true }
  }
  const { code = '' } = error as NodeJS.ErrnoException
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
    const message = `${name} at ${origin} answered more than ${REPLY_BYTES_MAX} bytes`
    return { error: serviceError('SERVICE_REPLY_INVALID', message, { cause: error }), connected: true }
  }
  const connected = !CONNECT_ERRORS.has(code)
  const message = `${call.endpoint.service} does not answer at ${origin}: ${messageOf(error)}`
  return { error: serviceError('SERVICE_UNREACHABLE', message, { cause: error }), connected }
}

/** Errors of connecting: the request was never sent. */
const CONNECT_ERRORS = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
])
