import type { IncomingHttpHeaders } from 'node:http'
import type { z } from 'zod'
import {
  type Access,
  type Context,
  childContext,
  type Endpoint,
  type EndpointSpec,
  type RouteDeclaration,
} from '../core/index.ts'
import type { Cluster } from '../data/index.ts'
import type { Caching } from './caching/caching.ts'
import { readVersionOf, withReadVersion } from './caching/versions.ts'
import type { Caller } from './caller.ts'
import { failureFacts, requestFacts } from './channels.ts'
import { type InputIssue, inputProblem, issuesOf, problemOf } from './problem.ts'
import { type ProblemReply, problem, type Reply } from './reply.ts'
import type { RouteCall } from './service.ts'

/** One endpoint ready to run: what HTTP requests and typed calls of this process both go through. */
export type Route = {
  readonly endpoint: Endpoint
  /** Never rejects: what is thrown becomes a problem. */
  run(request: RawRequest): Promise<Reply | ProblemReply>
}

/** A request before parsing: as HTTP brings it, parameters and query as text. */
export type RawRequest = {
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
  readonly headers: IncomingHttpHeaders
  /** Of whoever asks: its span is the parent of this request's. */
  readonly context: Context
}

export const CONSUMER_HEADER = 'x-consumer-username'

/** What handlers work with. */
export type RouteParts = {
  readonly data: Cluster
  readonly services: Caller
  readonly caching: Pick<Caching, 'caches' | 'seeing'>
}

/** Prepares all that does not depend on the request. */
export function prepareRoute(declaration: RouteDeclaration, parts: RouteParts): Route {
  const { endpoint } = declaration
  const handler = declaration.handler as (call: RouteCall) => Promise<Reply | ProblemReply>
  const parse = parserOf(endpoint.spec)
  const admits = gateOf(endpoint.spec.access)

  async function answer(request: RawRequest): Promise<Reply | ProblemReply> {
    const consumer = headerOf(request.headers, CONSUMER_HEADER)
    if (!admits(consumer)) return forbidden(endpoint, consumer)
    const parsed = parse(request)
    if ('issues' in parsed) return inputProblem(parsed.issues)
    const { params, query, body } = parsed
    const { headers, context } = request
    const { data, services, caching } = parts
    const seen = readVersionOf(headers)
    const caches = seen === undefined ? caching.caches : caching.seeing(seen)
    const call = { params, query, body, headers, consumer, context, data, services, caches }
    return withReadVersion(checked(await handler(call as RouteCall)), context)
  }

  function run(asked: RawRequest): Promise<Reply | ProblemReply> {
    if (!requestFacts.hasSubscribers) {
      return answer(asked).catch((error: unknown) => refusalOf(endpoint, asked, error))
    }
    const startedAtMs = performance.now()
    const context = childContext(asked.context)
    const request = context === asked.context ? asked : { ...asked, context }
    const tell = (result: Reply | ProblemReply) => {
      const { service, method, path } = endpoint
      const { traceparent } = context
      const parent = asked.context.traceparent
      const durationMs = performance.now() - startedAtMs
      requestFacts.publish({ endpoint, service, method, path, status: result.status, durationMs, traceparent, parent })
      return result
    }
    return answer(request).then(tell, (error: unknown) => tell(refusalOf(endpoint, request, error)))
  }
  return { endpoint, run }
}

/** What a handler answered, if HTTP can say it: a 1xx would leave the client waiting for the answer proper. */
function checked(answer: Reply | ProblemReply | undefined): Reply | ProblemReply {
  const status = answer?.status
  if (answer !== undefined && Number.isInteger(status) && answer.status >= 200 && answer.status <= 599) return answer
  throw new TypeError(`the handler answered status ${status}: 200 to 599 is possible`)
}

function refusalOf(endpoint: Endpoint, request: RawRequest, error: unknown): ProblemReply {
  const refusal = problemOf(error, request.context)
  if (refusal.status >= 500) {
    const { service, method, path } = endpoint
    const { traceparent } = request.context
    failureFacts.publish({ service, method, path, status: refusal.status, traceparent, error })
  }
  return refusal
}

type Parsed = { readonly params: unknown; readonly query: unknown; readonly body: unknown }

/**
 * Parses all parts and reports the problems of all at once; an endpoint without a schema for a part does not see it.
 */
function parserOf(spec: EndpointSpec): (request: RawRequest) => Parsed | { issues: readonly InputIssue[] } {
  return (request) => {
    const params = spec.params?.safeParse(request.params)
    const query = spec.query?.safeParse(request.query)
    const body = spec.body?.safeParse(request.body)
    if (params?.success !== false && query?.success !== false && body?.success !== false) {
      return { params: params?.data, query: query?.data, body: body?.data }
    }
    return { issues: [...issuesIn('params', params), ...issuesIn('query', query), ...issuesIn('body', body)] }
  }
}

function issuesIn(place: InputIssue['in'], result: z.ZodSafeParseResult<unknown> | undefined): readonly InputIssue[] {
  return result?.success === false ? issuesOf(place, result.error) : []
}

/**
 * The gateway authenticates; a service only repeats which consumers a route is for, so that a policy removed from the
 * gateway by mistake does not open the route. It trusts the header: bind services where only the gateway and other
 * services reach them.
 */
function gateOf(access: Access | undefined): (consumer: string | undefined) => boolean {
  if (access === undefined || typeof access === 'string') return () => true
  const admitted = new Set(access.consumers)
  return (consumer) => consumer !== undefined && admitted.has(consumer)
}

function forbidden(endpoint: Endpoint, consumer: string | undefined): ProblemReply {
  const who = consumer === undefined ? 'a request without a consumer' : `consumer "${consumer}"`
  return problem(403, `${endpoint.method} ${endpoint.path} is not for ${who}`, { code: 'SERVICE_FORBIDDEN' })
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : undefined
}
