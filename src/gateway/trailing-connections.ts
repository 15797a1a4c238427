import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { Readable } from 'node:stream'
import type { Exchange } from './exchange.ts'
import { RESPONSE_HEAD_BYTES_MAX, UPSTREAM_CONNECTIONS_MAX, UPSTREAM_IDLE_MS } from './limits.ts'
import type { RemoteDestination } from './remote-destination.ts'
import {
  textsOf,
  type UpstreamConnections,
  type UpstreamFlow,
  type UpstreamHandler,
  type UpstreamRequest,
} from './upstream-connections.ts'
import { tlsOptionsOf } from './upstream-tls.ts'

/** Whether a request says that something follows its body. HTTP/1.1 wants it to be said before. RFC 9110, 6.6.2. */
export function announcesTrailers({ headers, body }: Pick<Exchange, 'headers' | 'body'>): boolean {
  return headers.trailer !== undefined && headers['transfer-encoding'] !== undefined && body === undefined
}

/**
 * Connections for the few requests with trailers, which undici cannot send: Node's own client, apart from the pools of
 * all others.
 */
export class TrailingConnections {
  readonly #options = {
    keepAlive: true,
    maxSockets: UPSTREAM_CONNECTIONS_MAX,
    timeout: UPSTREAM_IDLE_MS,
  }
  readonly #http = new HttpAgent(this.#options)
  readonly #https = new HttpsAgent(this.#options)

  /** Those to one upstream. Node keeps apart what differs in how TLS is spoken. */
  to(destination: RemoteDestination): UpstreamConnections {
    return {
      dispatch: (request, handler) => {
        const isSecure = destination.origin.startsWith('https:')
        const { hostname, port } = new URL(destination.origin)
        const options = {
          host: hostname.replace(/^\[(.*)\]$/, '$1'),
          port,
          method: request.method,
          path: request.path,
          headers: { ...request.headers, 'transfer-encoding': 'chunked' },
          maxHeaderSize: RESPONSE_HEAD_BYTES_MAX,
        }
        const outgoing = isSecure
          ? requestHttps({ ...options, ...tlsOptionsOf(destination), agent: this.#https })
          : requestHttp({ ...options, agent: this.#http })
        send(outgoing, { request, handler, destination })
      },
    }
  }

  /** Cuts off what is still open. */
  destroy(): void {
    this.#http.destroy()
    this.#https.destroy()
  }
}

type Sending = {
  readonly request: UpstreamRequest
  readonly handler: UpstreamHandler
  readonly destination: RemoteDestination
}

/** Tells a handler what becomes of a request, as undici would. */
function send(outgoing: ClientRequest, { request, handler, destination }: Sending): void {
  const { body } = request
  let incoming: IncomingMessage | undefined
  let isOver = false
  const fail = (error: Error) => {
    if (isOver) return
    isOver = true
    clearTimeout(connecting)
    if (body instanceof Readable) body.destroy()
    outgoing.destroy()
    handler.onResponseError(flow, error)
  }
  const flow: UpstreamFlow = {
    abort: fail,
    pause: () => void incoming?.pause(),
    resume: () => void incoming?.resume(),
  }
  const connecting = setTimeout(() => fail(withCode('UND_ERR_CONNECT_TIMEOUT')), destination.connectTimeoutMs)
  const begin = () => {
    clearTimeout(connecting)
    if (isOver) return
    handler.onRequestStart(flow)
    outgoing.setTimeout(request.bodyTimeout ?? 0, () => fail(withCode('UND_ERR_HEADERS_TIMEOUT')))
    sendBody(outgoing, { request, handler, fail })
  }
  outgoing.once('socket', (socket) => {
    if (outgoing.reusedSocket || !socket.connecting) begin()
    else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', begin)
  })
  outgoing.on('error', fail)
  outgoing.on('information', ({ statusCode, headers }) => handler.onResponseStart(flow, statusCode, headers))
  outgoing.once('response', (response: IncomingMessage) => {
    incoming = response
    if (isOver) return
    handler.onResponseStart(flow, response.statusCode ?? 0, response.headers, response.statusMessage)
    response.on('data', (chunk: Buffer) => isOver || handler.onResponseData(flow, chunk))
    response.once('error', fail)
    response.once('end', () => {
      if (isOver) return
      isOver = true
      if (body instanceof Readable) body.destroy()
      // What the upstream did not wait for is not sent either.
      if (!outgoing.writableEnded) outgoing.destroy()
      handler.onResponseEnd(flow, response.trailers)
    })
  })
}

type Body = Pick<Sending, 'request' | 'handler'> & { readonly fail: (error: Error) => void }

function sendBody(outgoing: ClientRequest, { request, handler, fail }: Body): void {
  const { body, trailers } = request
  if (!(body instanceof Readable)) {
    outgoing.end(body)
    return
  }
  body.on('data', (chunk: Buffer) => {
    if (!outgoing.write(chunk)) body.pause()
  })
  outgoing.on('drain', () => body.resume())
  body.once('error', fail)
  body.once('end', () => {
    // At once: each call would replace what the one before said.
    outgoing.addTrailers(textsOf(trailers?.() ?? {}))
    outgoing.end()
    handler.onBodySent()
  })
}

function withCode(code: string): Error {
  return Object.assign(new Error('the upstream did not answer in time'), { code })
}
