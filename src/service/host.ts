import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import {
  alwaysReady,
  answerProbe,
  BODY_BYTES_MAX,
  ConnectionDrain,
  type Context,
  contextFrom,
  DEADLINE_HEADER,
  type Endpoint,
  type Health,
  LISTEN_BACKLOG,
  type Method,
  newContext,
  SERVICE_DEADLINE_MS,
  type ServiceDeclaration,
  type StopOptions,
  stopListening,
  type TextPage,
  untilDeadline,
} from '../core/index.ts'
import type { Cluster } from '../data/index.ts'
import type { Caching } from './caching/caching.ts'
import type { Caller } from './caller.ts'
import { failureFacts } from './channels.ts'
import { Deadlines } from './deadlines.ts'
import { serviceError } from './errors.ts'
import { problemOf, unknownRoute } from './problem.ts'
import { type ProblemReply, problem, type Reply } from './reply.ts'
import { prepareRoute, type RawRequest, type Route } from './route.ts'

export type ServiceHostOptions = {
  readonly services: readonly ServiceDeclaration[]
  readonly cluster: Cluster
  readonly caller: Caller
  readonly caching: Pick<Caching, 'caches' | 'seeing'>
  /** Which routes to serve. Default `routes`. */
  readonly routes?: 'routes' | 'consoleRoutes'
  /** What `/metrics` answers, which is there only if this is. */
  readonly metrics?: TextPage
  /** What `/livez` and `/readyz` answer from. Default: always ready. While it is starting, routes refuse with 503. */
  readonly health?: Health
}

/** Services of this process behind one HTTP application. */
export type ServiceHost = {
  /** Answers a request that another part of this process accepted: no network hop. */
  dispatch(request: IncomingMessage, response: ServerResponse): void
  /** Runs an endpoint for a typed call, without HTTP. Undefined when it is not served here. */
  invoke(endpoint: Endpoint, request: RawRequest): Promise<Reply | ProblemReply> | undefined
  /** Serves on a port too, with `/livez`, `/readyz` and, if given, `/metrics`. Port 0 picks a free one. */
  listen(options: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }>
  /**
   * Ends its connections as {@link ConnectionDrain} says, then refuses with 503 what other parts of this process still
   * bring; cuts off what is left at the deadline. Idempotent.
   */
  close(options: StopOptions): Promise<void>
}

/** Makes the services' routes ready to be called. Starts no server: see `listen`. */
export async function createServiceHost(options: ServiceHostOptions): Promise<ServiceHost> {
  const kind = options.routes ?? 'routes'
  const parts = { data: options.cluster, services: options.caller, caching: options.caching }
  const routes = options.services.flatMap((service) => service[kind].map((route) => prepareRoute(route, parts)))
  const deadlines = new Deadlines()
  const fastify = createFastify({ routes, deadlines, health: options.health ?? alwaysReady })
  const { metrics } = options
  if (metrics !== undefined) serveMetrics(fastify, metrics)
  await fastify.ready()
  const connections = new ConnectionDrain(fastify.server)
  const byName = new Map(routes.map((route) => [nameOf(route.endpoint), route]))
  let closing: Promise<void> | undefined

  return {
    dispatch: (request, response) => fastify.routing(request, response),
    invoke(endpoint, request) {
      const route = byName.get(nameOf(endpoint))
      return route === undefined ? undefined : runUntilDeadline(route, request, deadlines)
    },
    async listen({ host, port }) {
      await fastify.listen({ host, port, backlog: LISTEN_BACKLOG })
      const address = fastify.server.address()
      return { port: typeof address === 'object' && address !== null ? address.port : port }
    },
    close(stopOptions) {
      closing ??= closeHost({ fastify, connections, deadlines }, stopOptions)
      return closing
    },
  }
}

type Parts = { readonly routes: readonly Route[]; readonly deadlines: Deadlines; readonly health: Health }

function createFastify({ routes, deadlines, health }: Parts): FastifyInstance {
  const fastify = Fastify({
    bodyLimit: BODY_BYTES_MAX,
    exposeHeadRoutes: false,
    logger: false,
    // A request that trickles in does not hold its connection for longer than any request may take.
    requestTimeout: SERVICE_DEADLINE_MS,
    frameworkErrors: (error, request, reply) => refuse(error, request as FastifyRequest, reply as FastifyReply),
  })
  fastify.removeContentTypeParser('text/plain')
  fastify.setErrorHandler(refuse)
  fastify.setNotFoundHandler(notFoundHandler(routes))
  for (const path of ['/livez', '/readyz']) fastify.get(path, probeHandler(path, health))
  for (const route of routes) {
    const { method, path } = route.endpoint
    fastify.route({ method, url: path, handler: serve(route, deadlines, health) })
  }
  return fastify
}

function serveMetrics(fastify: FastifyInstance, { contentType, read }: TextPage): void {
  fastify.get('/metrics', (_request, response) => response.type(contentType).send(Readable.from(read())))
}

/** The hot path: nothing here that one request does not need. */
function serve(route: Route, deadlines: Deadlines, health: Health) {
  let isStarting = true
  return (request: FastifyRequest, response: FastifyReply): void => {
    const { headers, params, query, body } = request
    const context = contextFrom(headers)
    if (isStarting) {
      isStarting = health.readiness().status === 'starting'
      if (isStarting) {
        send(response, startingProblem(context))
        return
      }
    }
    if (isLate(headers)) {
      send(response, lateProblem(context))
      return
    }
    const pending = deadlines.add(context, () => send(response, lateProblem(context)))
    void route.run({ params, query, body, headers, context }).then((answer) => {
      if (deadlines.settle(pending)) send(response, answer)
    })
  }
}

function probeHandler(path: string, health: Health) {
  return (_request: FastifyRequest, response: FastifyReply): void => {
    const answer = answerProbe(path, health)
    void response
      .code(answer?.status ?? 404)
      .header('cache-control', 'no-store')
      .send(answer?.body)
  }
}

function runUntilDeadline(route: Route, request: RawRequest, deadlines: Deadlines): Promise<Reply | ProblemReply> {
  return new Promise((resolve) => {
    const pending = deadlines.add(request.context, () => resolve(lateProblem(request.context)))
    void route.run(request).then((answer) => {
      if (deadlines.settle(pending)) resolve(answer)
    })
  })
}

/** Never throws: whoever sends an answer has nobody left to tell. */
function send(response: FastifyReply, answer: Reply | ProblemReply): void {
  try {
    write(response, answer)
  } catch (error) {
    // The handler answered what cannot be sent: a bigint in the body, a snowman in a header.
    replaceAnswer(response, error)
  }
}

function replaceAnswer(response: FastifyReply, error: unknown): void {
  try {
    const refusal = reportedProblem(error, response.request)
    if (response.raw.headersSent) {
      response.raw.destroy()
      return
    }
    write(response, refusal)
  } catch {
    // Not even the problem can be sent: a connection that ends tells the client more than one that hangs.
    response.raw.destroy()
  }
}

/** Head and body at once, past Fastify's own way of sending, which is made for streams, hooks and serialisers. */
function write(response: FastifyReply, answer: Reply | ProblemReply): void {
  const { status, body, headers } = answer
  const text = body === null ? undefined : JSON.stringify(body)
  const hasBody = text !== undefined && status !== 204
  const head: string[] = []
  for (const name in headers) if (!isOurs(name, hasBody)) head.push(name, String(headers[name]))
  if (hasBody) head.push('content-type', 'problem' in answer ? PROBLEM_TYPE : JSON_TYPE)
  if (status !== 204 && (hasBody || status !== 304)) {
    head.push('content-length', String(hasBody ? Buffer.byteLength(text) : 0))
  }
  response.hijack()
  response.raw.writeHead(status, head)
  response.raw.end(hasBody ? text : undefined)
}

/** Headers of a handler that the body decides: its length always, its type if there is one. RFC 9110, 8.6. */
function isOurs(name: string, hasBody: boolean): boolean {
  const key = name.toLowerCase()
  return key === 'content-length' || (hasBody && key === 'content-type')
}

const JSON_TYPE = 'application/json; charset=utf-8'
const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

function refuse(error: unknown, request: FastifyRequest, response: FastifyReply): void {
  send(response, reportedProblem(error, request))
}

function reportedProblem(error: unknown, request: FastifyRequest): ProblemReply {
  const context = contextFrom(request.headers)
  const refusal = problemOf(error, context)
  if (refusal.status >= 500) {
    const path = request.routeOptions?.url ?? '(no route)'
    const { traceparent } = context
    failureFacts.publish({ method: request.method, path, status: refusal.status, traceparent, error })
  }
  return refusal
}

/** 405 where the path has other methods, else 404. Off the hot path, so a list of patterns will do. */
function notFoundHandler(routes: readonly Route[]) {
  const patterns = routes.map(({ endpoint }) => ({ method: endpoint.method, pattern: patternOf(endpoint.path) }))
  return (request: FastifyRequest, response: FastifyReply): void => {
    const path = request.url.split('?', 1)[0] ?? ''
    const allowed = patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)
    send(response, allowed.length > 0 ? methodProblem(request.method, path, allowed) : unknownRoute(path))
  }
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:[^/]+/g, '[^/]+')}$`)
}

function methodProblem(method: string, path: string, allowed: readonly Method[]): ProblemReply {
  const refusal = problem(405, `${path} has no ${method}`, { code: 'SERVICE_METHOD_NOT_ALLOWED' })
  return { ...refusal, headers: { allow: [...new Set(allowed)].join(', ') } }
}

function lateProblem(context: Context = newContext()): ProblemReply {
  return problemOf(serviceError('SERVICE_DEADLINE_PASSED', 'the time for this request is over'), context)
}

function startingProblem(context: Context): ProblemReply {
  return problemOf(serviceError('SERVICE_STARTING', 'this process has not finished its start'), context)
}

/** Whether the request came with no time left: then nobody waits for its answer. */
function isLate(headers: IncomingHttpHeaders): boolean {
  const remaining = headers[DEADLINE_HEADER]
  return typeof remaining === 'string' && remaining !== '' && Number(remaining) <= 0
}

function nameOf(endpoint: Endpoint): string {
  return `${endpoint.service} ${endpoint.method} ${endpoint.path}`
}

type Open = {
  readonly fastify: FastifyInstance
  readonly connections: ConnectionDrain
  readonly deadlines: Deadlines
}

/** Fastify refuses what is new as soon as it closes, so its connections are ended before. */
async function closeHost({ fastify, connections, deadlines }: Open, options: StopOptions): Promise<void> {
  if (fastify.server.listening) await connections.end(stopListening(fastify.server), options)
  await untilDeadline(Promise.all([deadlines.whenIdle(), fastify.close()]), options)
}
