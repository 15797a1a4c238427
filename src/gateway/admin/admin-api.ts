import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  alwaysReady,
  GroundswellError,
  type Health,
  isLoopbackName,
  type StopOptions,
  untilDeadline,
} from '../../core/index.ts'
import type { UpstreamHealth } from '../balancer/balancers.ts'
import { ApiError, methodNotAllowed, notFound } from '../config/api-error.ts'
import { createCatalog } from '../config/catalog.ts'
import { adminRequestFailed } from '../config/channels.ts'
import type { ConfigStore } from '../config/entities.ts'
import { ADMIN_REQUEST_MS } from '../config/limits.ts'
import type { PluginDescription } from '../config/schema.ts'
import type { DeclarativeStore } from '../declarative/declarative-store.ts'
import { gatewayError } from '../errors.ts'
import { type Answer, type Endpoint, noContent, VERBS, type Verb } from './answer.ts'
import { readDocumentText, readInput } from './body.ts'
import { certificatesAt } from './certificates.ts'
import { createGuard, isLoopbackOrigin } from './guard.ts'
import { type AdminInfo, informationAt } from './information.ts'
import { createResources } from './resources.ts'
import { type ResponseCaches, responseCachesAt } from './response-caches.ts'
import { tagsAt } from './tags.ts'
import { upstreamsAt } from './upstreams.ts'

export type AdminApiOptions = {
  /** Started already. */
  readonly store: ConfigStore
  readonly plugins: readonly PluginDescription[]
  readonly info: AdminInfo
  /** What `/livez`, `/readyz` and Kong's `/status/ready` answer from. Default: always ready. */
  readonly health?: Health
  /** Asked of every request when given; required to listen anywhere but on loopback. */
  readonly token?: string | undefined
  /** What the gateway of this process knows of targets. Default: nothing. */
  readonly upstreams?: UpstreamHealth
  /** What plugins of the gateway of this process keep of responses. Default: nothing. */
  readonly cachedResponses?: ResponseCaches
  /** The store too, when it is one without a database: then `/config` reads and replaces it. */
  readonly declarative?: DeclarativeStore | undefined
}

export type AdminApi = {
  /** Throws GATEWAY_ADMIN_TOKEN_REQUIRED for a host that is not loopback when there is no token. Port 0 picks one. */
  listen(address: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }>
  /** Finishes requests under way, until the deadline. */
  close(options: StopOptions): Promise<void>
}

/** Kong's Admin API: endpoints, bodies and errors derived from the schemas. */
export function createAdminApi(options: AdminApiOptions): AdminApi {
  const endpointAt = createRouting(options)
  const guard = createGuard(options.token)
  const server = createServer({ requestTimeout: ADMIN_REQUEST_MS }, (request, response) => {
    const startedAtMs = performance.now()
    const work = async () => {
      guard(request)
      return answer(request, endpointAt)
    }
    work()
      .catch((error: unknown) => failure(request, error))
      .then((result) => send({ request, response, result, latencyMs: performance.now() - startedAtMs }, options.info))
      .catch((error: unknown) => {
        publishFailure(request, error)
        response.destroy()
      })
  })
  return {
    listen: (address) => listen(server, address, options.token),
    close: (stop) => close(server, stop),
  }
}

/** Of an Admin API without a gateway. */
const NOTHING_KNOWN: UpstreamHealth = { of: () => undefined, set: () => false }

type EndpointAt = (segments: readonly string[]) => Endpoint | undefined

function createRouting(options: AdminApiOptions): EndpointAt {
  const { store, plugins, info, health = alwaysReady, upstreams = NOTHING_KNOWN, declarative } = options
  const { cachedResponses = () => new Map() } = options
  const catalog = createCatalog(plugins)
  const resources = createResources(store, catalog)
  return (segments) =>
    informationAt(segments, { store, catalog, info, health, resources, declarative }) ??
    tagsAt(segments, { store, catalog }) ??
    upstreamsAt(segments, { store, resources, health: upstreams, nodeId: info.nodeId }) ??
    responseCachesAt(segments, cachedResponses) ??
    certificatesAt(segments, { store, catalog, resources }) ??
    resources.at(segments)
}

async function answer(request: IncomingMessage, endpointAt: EndpointAt): Promise<Answer> {
  const url = urlOf(request.url ?? '')
  const endpoint = endpointAt(segmentsOf(url.pathname))
  if (endpoint === undefined) throw notFound()
  if (request.method === 'OPTIONS') return preflight(endpoint)
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const handler = VERBS.includes(method as Verb) ? endpoint[method as Verb] : undefined
  if (handler === undefined) throw methodNotAllowed()
  return handler({
    query: url.searchParams,
    input: () => readInput(request),
    document: () => readDocumentText(request),
  })
}

/** A request names a path, or a whole URL when it came through a proxy. */
function urlOf(target: string): URL {
  const text = target.startsWith('/') ? `http://localhost${target}` : target
  if (!URL.canParse(text)) throw notFound()
  return new URL(text)
}

/** A trailing slash is tolerated, an empty segment elsewhere leads nowhere. */
function segmentsOf(pathname: string): string[] {
  const trimmed = pathname.replace(/^\/|\/$/g, '')
  if (trimmed === '') return []
  try {
    return trimmed.split('/').map(decodeURIComponent)
  } catch {
    throw notFound() // A malformed escape is in no path that exists.
  }
}

function preflight(endpoint: Endpoint): Answer {
  const verbs = [...VERBS.filter((verb) => endpoint[verb] !== undefined), 'OPTIONS']
  if (endpoint.GET !== undefined) verbs.push('HEAD')
  const allow = verbs.sort().join(', ')
  const headers = {
    Allow: allow,
    'Access-Control-Allow-Methods': allow,
    'Access-Control-Allow-Headers': 'Content-Type',
  }
  return { ...noContent, headers }
}

function failure(request: IncomingMessage, error: unknown): Answer {
  if (error instanceof ApiError) return { status: error.status, body: error.body }
  publishFailure(request, error)
  // What may pass by itself, such as a database that is away, is told apart from a defect of ours.
  if (error instanceof GroundswellError && error.retryable) {
    return { status: error.status, body: { message: error.message } }
  }
  return { status: 500, body: { message: 'An unexpected error occurred' } }
}

function publishFailure(request: IncomingMessage, error: unknown): void {
  adminRequestFailed.publish({ method: request.method ?? '', path: request.url ?? '', error })
}

type Exchange = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly result: Answer
  readonly latencyMs: number
}

async function send({ request, response, result, latencyMs }: Exchange, info: AdminInfo): Promise<void> {
  const body = result.body === undefined ? undefined : Buffer.from(JSON.stringify(result.body))
  const { origin } = request.headers
  // A body that was not read to its end cannot be followed by another request on the same connection.
  const unread = !request.complete && hasBody(request)
  response.writeHead(result.status, {
    Server: `kong/${info.version}`,
    'X-Kong-Admin-Latency': String(Math.round(latencyMs)),
    // Kong says `*`; here only pages of this machine may read answers.
    ...(origin !== undefined && isLoopbackOrigin(origin)
      ? { 'Access-Control-Allow-Origin': origin, 'Access-Control-Allow-Credentials': 'true', Vary: 'Origin' }
      : {}),
    ...(body && { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': String(body.length) }),
    ...(result.page && { 'Content-Type': result.page.contentType }),
    ...(unread && { Connection: 'close' }),
    ...result.headers,
  })
  if (request.method === 'HEAD' || result.page === undefined) response.end(request.method === 'HEAD' ? undefined : body)
  else await pipeline(Readable.from(result.page.read()), response).catch(ignoreLeaving)
}

/** A client that stops reading a long answer is nobody's failure. */
function ignoreLeaving(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
}

const hasBody = ({ headers }: IncomingMessage) =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

async function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
  token: string | undefined,
): Promise<{ readonly port: number }> {
  if (token === undefined && !isLoopbackName(host)) {
    throw gatewayError(
      'GATEWAY_ADMIN_TOKEN_REQUIRED',
      `the Admin API would be open to everyone on ${host}: give it a token, or bind it to 127.0.0.1`,
    )
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host.replace(/^\[(.*)\]$/, '$1'), () => {
      server.off('error', reject)
      resolve()
    })
  })
  return { port: (server.address() as AddressInfo).port }
}

async function close(server: Server, options: StopOptions): Promise<void> {
  if (!server.listening) return
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  if ((await untilDeadline(closed, options)) === 'late') server.closeAllConnections()
  await closed
}
