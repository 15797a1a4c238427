import type { z } from 'zod'
import { type Context, GroundswellError, traceIdOf } from '../core/index.ts'
import { serviceError } from './errors.ts'
import { RETRY_AFTER_SECONDS } from './limits.ts'
import { type ProblemReply, problem } from './reply.ts'

/**
 * From whatever was thrown to an answer (RFC 9457). What the client did wrong is told in full; what failed in here is
 * told by its code and the trace id, since messages may name hosts, statements and rows.
 */
export function problemOf(error: unknown, context: Context): ProblemReply {
  const known = error instanceof GroundswellError ? error : fromFastify(error)
  if (known === undefined) return internalProblem(context, 500, 'SERVICE_INTERNAL')
  if (known.status >= 500) return internalProblem(context, known.status, known.code)
  return problem(known.status, known.message, { code: known.code, ...extensionsOf(known) })
}

export function unknownRoute(path: string): ProblemReply {
  return problem(404, `there is no ${path}`, { code: 'SERVICE_ROUTE_UNKNOWN' })
}

/** Names every field that does not fit, by its path in the part of the request it came in. */
export function inputProblem(issues: readonly InputIssue[]): ProblemReply {
  const fields = issues.map((issue) => issue.path || issue.in).join(', ')
  return problem(422, `the request does not fit: ${fields}`, { code: 'SERVICE_INPUT_INVALID', errors: issues })
}

export type InputIssue = { readonly in: 'params' | 'query' | 'body'; readonly path: string; readonly message: string }

export function issuesOf(place: InputIssue['in'], error: z.ZodError): readonly InputIssue[] {
  return error.issues.map((issue) => ({ in: place, path: issue.path.map(String).join('.'), message: issue.message }))
}

const INTERNAL_DETAIL: Readonly<Record<number, string>> = {
  503: 'the service cannot answer right now; try again',
  504: 'the time for this request is over',
}

function internalProblem(context: Context, status: number, code: string): ProblemReply {
  const detail = INTERNAL_DETAIL[status] ?? 'the service failed to answer; its log says why under this trace id'
  const reply = problem(status, detail, { code, traceId: traceIdOf(context.traceparent) })
  return status === 503 ? { ...reply, headers: { ...reply.headers, 'retry-after': `${RETRY_AFTER_SECONDS}` } } : reply
}

function extensionsOf(error: GroundswellError): { errors?: unknown } {
  return error.details.errors === undefined ? {} : { errors: error.details.errors }
}

/** Fastify's own refusals in our terms; undefined for everything else. */
function fromFastify(error: unknown): GroundswellError | undefined {
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string }
  if (typeof code !== 'string' || !code.startsWith('FST_')) {
    return statusCode === 400 ? serviceError('SERVICE_BODY_MALFORMED', 'the request ended before its body') : undefined
  }
  if (statusCode === 413) return serviceError('SERVICE_BODY_TOO_LARGE', 'the request body is too large')
  if (statusCode === 415) return serviceError('SERVICE_MEDIA_TYPE_UNSUPPORTED', 'send the body as application/json')
  if (statusCode === 400) return serviceError('SERVICE_BODY_MALFORMED', message ?? 'the request is malformed')
  return undefined
}
