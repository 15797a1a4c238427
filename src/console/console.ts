import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import {
  type App,
  type Clock,
  isLoopbackName,
  LISTEN_BACKLOG,
  type StopOptions,
  systemClock,
  untilDeadline,
} from '../core/index.ts'
import type { TelemetryView } from '../telemetry/index.ts'
import { answerJson, answerProblem, type Exchange } from './answer.ts'
import { type Api, createApi } from './api.ts'
import { type Assets, loadAssets, sendAsset, sendUnbuilt } from './assets.ts'
import { consoleError } from './errors.ts'
import { answerEvents, type EventsParts, isEventsPath } from './events/events-api.ts'
import type { EventsPort } from './events/events-port.ts'
import { FrameStream } from './frame-stream.ts'
import { type AdminUrl, answerGateway, isGatewayPath } from './gateway/gateway-api.ts'
import { wholeNumber } from './query.ts'
import { type TopologyShard, topologyOf } from './topology.ts'

export type ConsoleOptions = {
  readonly app: App
  readonly view: TelemetryView
  readonly shards: readonly TopologyShard[]
  /** Answers what is not the console's own: pages that services declare for operators, and health. */
  readonly pages: (request: IncomingMessage, response: ServerResponse) => void
  /** Where the Admin API is of the gateway that the console shows and changes. Default: nowhere. */
  readonly adminUrl?: AdminUrl
  /** The event log that the console shows and operates. Default: none. */
  readonly events?: EventsPort
  /** Where the built console is. Default: console/dist of this package. */
  readonly folder?: string
  readonly clock?: Clock
}

/** The console: its API, its event stream and its pages on one port. */
export type Console = {
  listen(options: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }>
  /** Ends the streams, finishes what is under way, and cuts off what is left at the deadline. Idempotent. */
  close(options: StopOptions): Promise<void>
}

const DIST = fileURLToPath(new URL('../../console/dist/', import.meta.url))

/** Makes the console ready to listen. */
export async function createConsole(options: ConsoleOptions): Promise<Console> {
  const { app, view, shards, pages, adminUrl = () => undefined, events, folder = DIST, clock = systemClock } = options
  const parts: Parts = {
    api: createApi({ view, topology: topologyOf(app, shards), clock }),
    stream: new FrameStream(view),
    pages,
    adminUrl,
    events,
    view,
    folder,
    assets: await loadAssets(folder),
  }
  const server = createServer((request, response) => {
    answer(parts, request, response).catch((error: unknown) => answerProblem(response, error))
  })
  let closing: Promise<void> | undefined
  return {
    listen: (address) => listen(server, address),
    close(stopOptions) {
      parts.stream.close()
      closing ??= closeServer(server, stopOptions)
      return closing
    },
  }
}

type Parts = EventsParts & {
  readonly api: Api
  readonly stream: FrameStream
  readonly pages: ConsoleOptions['pages']
  readonly adminUrl: AdminUrl
  readonly folder: string
  assets: Assets | undefined
}

/** Asked by whoever watches the process, under whatever name it knows it by. They tell nothing. */
const HEALTH = new Set(['/readyz', '/livez'])

async function answer(parts: Parts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname: path, searchParams: query } = urlOf(request)
  if (!HEALTH.has(path)) assertLocal(request)
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value)
  if (path === '/api/stream') {
    assertReads(request)
    parts.stream.open(response, lastEventId(request) ?? wholeNumber('since', query.get('since')))
  } else if (isGatewayPath(path)) {
    await answerGateway(parts.adminUrl, { path, request, response })
  } else if (isEventsPath(path)) {
    await answerEvents(parts, { path, query, request, response })
  } else if (path.startsWith('/api/')) {
    assertReads(request)
    const value = parts.api(path, query)
    if (value === undefined) throw consoleError('CONSOLE_PATH_UNKNOWN', `there is no ${path}`)
    await answerJson({ request, response }, value)
  } else {
    await answerPage(parts, path, { request, response })
  }
}

async function answerPage(parts: Parts, path: string, { request, response }: Exchange): Promise<void> {
  // Whoever builds the console while the application runs need not start it again.
  if (path === '/') parts.assets ??= await loadAssets(parts.folder)
  const asset = parts.assets?.get(path)
  if (asset === undefined && path !== '/') {
    parts.pages(request, response)
    return
  }
  assertReads(request)
  if (asset === undefined) sendUnbuilt(response)
  else sendAsset(request, response, asset)
}

/**
 * The console has no authentication and so listens on loopback only. A browser on this machine reaches that, and with
 * it every web page whose name was pointed at 127.0.0.1 (DNS rebinding): the `Host` such a page sends is its own.
 */
function assertLocal({ headers: { host = '' } }: IncomingMessage): void {
  const url = `http://${host}`
  if (URL.canParse(url) && isLoopbackName(new URL(url).hostname)) return
  throw consoleError('CONSOLE_HOST_REFUSED', `Host "${host}" is refused: the console answers only to localhost`)
}

function assertReads({ method, url }: IncomingMessage): void {
  const isRead = method === 'GET' || (method === 'HEAD' && url?.startsWith('/api/stream') !== true)
  if (isRead) return
  throw consoleError('CONSOLE_METHOD_NOT_ALLOWED', `${url} has no ${method}`)
}

/** What a browser sends when it connects again; one that it did not get from us counts as absent. */
function lastEventId({ headers }: IncomingMessage): number | undefined {
  const id = headers['last-event-id']
  return typeof id === 'string' && /^\d{1,15}$/.test(id) ? Number(id) : undefined
}

function urlOf({ url = '/' }: IncomingMessage): URL {
  // Put together rather than resolved: a path that begins with two slashes would else be read as a host.
  const absolute = `http://console${url}`
  if (!url.startsWith('/') || !URL.canParse(absolute)) {
    throw consoleError('CONSOLE_PATH_UNKNOWN', `there is no ${url}`)
  }
  return new URL(absolute)
}

/** Scripts, styles and data come from this origin only, and no other page may show or read what is here. */
const SECURITY_HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "font-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const

function listen(server: Server, { host, port }: { readonly host: string; readonly port: number }) {
  return new Promise<{ readonly port: number }>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog: LISTEN_BACKLOG }, () => {
      server.off('error', reject)
      const address = server.address()
      resolve({ port: typeof address === 'object' && address !== null ? address.port : port })
    })
  })
}

async function closeServer(server: Server, options: StopOptions): Promise<void> {
  if (!server.listening) return
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  if ((await untilDeadline(closed, options)) === 'late') server.closeAllConnections()
}
