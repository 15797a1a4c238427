import type { IncomingMessage, ServerResponse } from 'node:http'
import { redirectsTo, type SiteDeclaration } from '../core/index.ts'
import { siteError } from './errors.ts'
import { readSiteFolder } from './folder.ts'
import { ASSET_MAX_AGE_SECONDS } from './limits.ts'
import { chooseEncoding, isUnchanged } from './negotiation.ts'
import { type Published, publish } from './published.ts'
import { type Representation, uncompressed } from './representation.ts'
import { type SecurityHeaders, securityHeaders } from './security-headers.ts'

/** A site ready to answer: an upstream of the gateway in its own process. */
export type SiteServer = {
  /** Answers at once, from memory. Expects the request's whole path, the site's own at its beginning. */
  dispatch(request: IncomingMessage, response: ServerResponse): void
}

export type SiteServerOptions = {
  readonly site: SiteDeclaration
  /** The key that the pages may have, as of now: operators change keys while it runs. Asked per request. */
  readonly publishableKey: () => string | undefined
}

/** Where pages find what only the running application knows. */
const CONFIG_PATH = 'config.json'

/** Reads the site's folder. Throws SITES_FOLDER_UNREADABLE or SITES_FOLDER_TOO_LARGE. */
export async function createSiteServer(options: SiteServerOptions): Promise<SiteServer> {
  const { site } = options
  const published = await publish(await readSiteFolder(site), site.path)
  if (site.consumer !== undefined && published.find(CONFIG_PATH) !== undefined) {
    throw new Error(`site ${site.name}: its ${CONFIG_PATH} is made with the key of ${site.consumer}, remove the file`)
  }
  const redirects = new Set(redirectsTo(site))
  const security = securityHeaders(site)

  return {
    dispatch(request, response) {
      const exchange = { request, response, security }
      const { method, url = '/' } = request
      if (method !== 'GET' && method !== 'HEAD') return refuseMethod(exchange)
      const mark = url.indexOf('?')
      const [path, search] = mark < 0 ? [url, ''] : [url.slice(0, mark), url.slice(mark)]
      if (redirects.has(path)) return redirect(exchange, site.path + search)
      const name = nameOf(path, site.path)
      if (name === CONFIG_PATH && site.consumer !== undefined) return sendConfig(exchange, options)
      const found = name === undefined ? undefined : published.find(name)
      if (found === undefined) return sendNotFound(exchange, published)
      if (found.kind === 'redirect') return redirect(exchange, site.path + encodeURI(found.to) + search)
      sendFile(exchange, found.representation, found.isImmutable ? IMMUTABLE : REVALIDATED)
    },
  }
}

type SiteExchange = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly security: SecurityHeaders
}

const IMMUTABLE = `public, max-age=${ASSET_MAX_AGE_SECONDS}, immutable`

/** Kept by whoever likes, used by nobody without asking. */
const REVALIDATED = 'no-cache'

/** The path below the site's, decoded; undefined when it is none. */
function nameOf(path: string, sitePath: string): string | undefined {
  if (!path.startsWith(sitePath)) return undefined
  try {
    return decodeURIComponent(path.slice(sitePath.length))
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}

function sendFile(exchange: SiteExchange, representation: Representation, cacheControl: string): void {
  const { request, response, security } = exchange
  const { modifiedAtMs } = representation
  const encoded = chooseEncoding(representation, request.headers['accept-encoding'])
  const head = [
    ...['Cache-Control', cacheControl, 'ETag', encoded.etag],
    ...(modifiedAtMs === undefined ? [] : ['Last-Modified', new Date(modifiedAtMs).toUTCString()]),
    ...(representation.compressed.length > 0 ? ['Vary', 'Accept-Encoding'] : []),
    ...security,
  ]
  if (isUnchanged(request.headers, encoded, modifiedAtMs)) {
    response.writeHead(304, head).end()
    return
  }
  const { bytes, coding } = encoded
  const content = ['Content-Type', representation.mediaType, 'Content-Length', String(bytes.length)]
  if (coding !== undefined) content.push('Content-Encoding', coding)
  response.writeHead(200, [...content, ...head])
  response.end(request.method === 'HEAD' ? undefined : bytes)
}

function sendConfig(exchange: SiteExchange, { site, publishableKey }: SiteServerOptions): void {
  const apiKey = publishableKey()
  if (apiKey === undefined) {
    const { code, message, status } = siteError(
      'SITES_KEY_MISSING',
      `consumer ${site.consumer} has no key for site ${site.name}`,
    )
    const body = { type: 'about:blank', title: 'Service Unavailable', status, detail: message, code }
    send(exchange, { status, mediaType: 'application/problem+json; charset=utf-8', text: JSON.stringify(body) })
    return
  }
  const bytes = Buffer.from(JSON.stringify({ apiKey }))
  sendFile(exchange, configOf(bytes), REVALIDATED)
}

function configOf(bytes: Buffer): Representation {
  return uncompressed({ bytes, mediaType: 'application/json; charset=utf-8' })
}

const VARIES = ['Vary', 'Accept']

/** The site's own page for people, one line for everything else that asks, such as a script tag. */
function sendNotFound(exchange: SiteExchange, { notFoundPage }: Published): void {
  const wantsPage = exchange.request.headers.accept?.includes('text/html') === true
  if (!wantsPage || notFoundPage === undefined) {
    send(exchange, { status: 404, mediaType: 'text/plain; charset=utf-8', text: 'not found\n', extra: VARIES })
    return
  }
  const text = notFoundPage.plain.bytes.toString('utf8')
  send(exchange, { status: 404, mediaType: notFoundPage.mediaType, text, extra: VARIES })
}

function redirect(exchange: SiteExchange, to: string): void {
  // Not permanent: browsers would remember it after the application has moved its site.
  send(exchange, { status: 302, mediaType: 'text/plain; charset=utf-8', text: `see ${to}\n`, extra: ['Location', to] })
}

function refuseMethod(exchange: SiteExchange): void {
  const text = 'a site is only read\n'
  send(exchange, { status: 405, mediaType: 'text/plain; charset=utf-8', text, extra: ['Allow', 'GET, HEAD'] })
}

type Answer = {
  readonly status: number
  readonly mediaType: string
  readonly text: string
  readonly extra?: readonly string[]
}

function send({ request, response, security }: SiteExchange, { status, mediaType, text, extra = [] }: Answer): void {
  const length = String(Buffer.byteLength(text))
  const head = ['Content-Type', mediaType, 'Content-Length', length, 'Cache-Control', REVALIDATED]
  response.writeHead(status, [...head, ...extra, ...security])
  response.end(request.method === 'HEAD' ? undefined : text)
}
