import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Attempt } from './attempts.ts'
import type { BalancedDestination } from './balancer/destination.ts'
import { clientIpOf, type Peer } from './client-address.ts'
import type { ConsumerEntity, PluginEntity, RouteEntity, ServiceEntity } from './config/entities.ts'
import { acceptOfUpstreamError, exitBody } from './exit.ts'
import { callStatus, isCall, messageIn } from './grpc.ts'
import { headerText, removeIdentity } from './identity-headers.ts'
import type { PathPlan } from './path.ts'
import type { PluginChain, PluginChains } from './pipeline.ts'
import type { RemoteDestination } from './remote-destination.ts'
import { collectBody } from './request-body.ts'
import { newRequestId } from './request-id.ts'
import type { GatewayResponse } from './response.ts'
import type { Upgrade } from './upgrade.ts'
import type { LocalUpstream } from './upstream.ts'
import { ownFailure, tellFailure } from './upstream-failure.ts'

/** A response header's name, as it is written and as it is compared. */
export type HeaderName = { readonly wire: string; readonly key: string }

export function headerName(wire: string): HeaderName {
  return { wire, key: wire.toLowerCase() }
}

/** What the gateway calls itself, and whether it is on its way out. One object for all requests. */
export type GatewayIdentity = {
  /** `kong/3.9.1` */
  readonly server: string
  /** `1.1 kong/3.9.1` */
  readonly via: string
  /** The ports on which requests arrive, without TLS and with. */
  port: string
  tlsPort: string
  /** True once the gateway closes: every response then closes its connection. */
  draining: boolean
}

/** A route as the data plane sees it, compiled from the configuration. */
export type RouteTarget = {
  readonly route: RouteEntity
  /** Undefined when the route has none. */
  readonly service: ServiceEntity | undefined
  readonly destination: LocalUpstream | RemoteDestination | BalancedDestination | undefined
  /** The Host header for the upstream. */
  readonly host: string
  readonly path: PathPlan
  /** Whether it is for gRPC; else, whether also for requests without TLS. */
  readonly isForCalls: boolean
  readonly isForPlain: boolean
  /** For requests without TLS, and with: the same unless a plugin is for one of them only. */
  readonly chains: PluginChains
  readonly secureChains: PluginChains
  /** The same route, for each place that one of its plugins may send requests to. */
  readonly alternatives: ReadonlyMap<Place, RouteTarget>
}

/** Where requests may go instead of where their service is; what is undefined stays as it is. */
export type Place = { readonly host: string | undefined; readonly port: number | undefined }

/** What identifies a credential to upstreams and to limits. */
export type Credential = {
  readonly id: string
  /** What upstreams are told instead of the id. */
  readonly identifier?: string
}

/** An answer in place of the upstream's, whose body goes out as it is. */
export type GatewayAnswer = {
  readonly status: number
  /** Default: none. */
  readonly body?: string
  /** Default: JSON. */
  readonly contentType?: string
  /** Names and values in turn. */
  readonly headers?: readonly string[]
}

const REQUEST_ID = headerName('X-Kong-Request-Id')
const UPSTREAM_LATENCY = headerName('X-Kong-Upstream-Latency')
const PROXY_LATENCY = headerName('X-Kong-Proxy-Latency')
const RESPONSE_LATENCY = headerName('X-Kong-Response-Latency')

/** One request on its way through the gateway, and the response on its way back. What plugins see. */
export class Exchange {
  readonly request: IncomingMessage
  readonly response: GatewayResponse
  readonly identity: GatewayIdentity
  /** 32 hex digits. */
  readonly requestId: string = newRequestId()
  readonly startedAtMs: number = performance.now()
  readonly peer: Peer
  /** What the connection had sent before the response. */
  readonly sentBytesBefore: number
  /** The client's address: the peer's, unless a trusted peer speaks for another. */
  readonly clientIp: string
  /** Headers of the request; what is changed here, the upstream gets. */
  readonly headers: IncomingHttpHeaders

  /** The normalised path, the path as it came, and the query with its question mark (empty without one). */
  path = ''
  rawPath = ''
  query = ''
  target: RouteTarget | undefined = undefined
  /** Characters of the path that the route matched. */
  matchedChars = 0
  /** In place of the path that route and service make for the upstream, when a plugin sets one. */
  upstreamPath: string | undefined = undefined
  /** The request's body, once a plugin has read it. */
  body: Buffer | undefined = undefined
  chain: PluginChain | undefined = undefined
  consumer: ConsumerEntity | undefined = undefined
  credential: Credential | undefined = undefined
  /** Groups that whoever authenticated the request says the caller is in, apart from those of its consumer. */
  authenticatedGroups: readonly string[] | undefined = undefined
  /** Names the gateway's own span, once the request goes to a service. */
  traceparent: string | undefined = undefined
  /** The client's span, if it came with one. */
  parentSpanId: string | undefined = undefined

  /** Headers that the gateway adds to the response: names to compare, and names and values in turn. */
  readonly reply: { readonly names: string[]; readonly headers: string[] } = { names: [], headers: [] }
  /** Among those under way. */
  bagIndex = -1
  /** The gateway answered by itself. */
  exited = false
  /** The plugin that did, in its access phase. */
  answeredBy: PluginEntity | undefined = undefined
  /** The response is over, or its client is gone. */
  closed = false
  status = 0
  dispatchedAtMs: number | undefined = undefined
  respondedAtMs: number | undefined = undefined
  /** At targets, in order, if a plugin tells of them; undefined before the first. */
  attempts: Attempt[] | undefined = undefined
  /** When a service in this process is no longer waited for. */
  deadlineAtMs: number = Number.POSITIVE_INFINITY
  /** Since when the client takes none of the answer, although there is more. */
  blockedAtMs: number = Number.POSITIVE_INFINITY
  /** The client asks to leave HTTP for WebSocket. */
  upgrade: Upgrade | undefined = undefined
  /** What is given up when the client leaves before the response is complete. */
  upstreamWork: { abort(): void } | undefined = undefined

  constructor(request: IncomingMessage, response: GatewayResponse, origin: { identity: GatewayIdentity; peer: Peer }) {
    this.request = request
    this.response = response
    this.headers = request.headers
    this.identity = origin.identity
    this.peer = origin.peer
    this.sentBytesBefore = request.socket.bytesWritten
    this.clientIp = clientIpOf(origin.peer, request.headers)
  }

  get draining(): boolean {
    return this.identity.draining
  }

  /** Adds a header to the response, in place of the upstream's of the same name. */
  setReplyHeader(name: HeaderName, value: string): void {
    this.reply.names.push(name.key)
    this.reply.headers.push(name.wire, value)
  }

  /** Takes a header away that the upstream may have set. */
  removeReplyHeader(name: HeaderName): void {
    this.reply.names.push(name.key)
  }

  /** Adds a header to the response, beside those of the same name. */
  addReplyHeader(name: HeaderName, value: string): void {
    this.reply.headers.push(name.wire, value)
  }

  /** Whether the client itself came by TLS, whatever it says of how others came. */
  get secure(): boolean {
    return this.peer.serverName !== undefined
  }

  /** The gateway's port that the client came to. */
  get port(): string {
    return this.secure ? this.identity.tlsPort : this.identity.port
  }

  /** The plugins of a route for the protocol of this request. */
  chainsOf(target: RouteTarget): PluginChains {
    return this.secure ? target.secureChains : target.chains
  }

  /** Says who calls: the upstream learns it from headers, and plugins of that consumer apply from here on. */
  authenticate(consumer: ConsumerEntity, credential: Credential | undefined): void {
    const { headers } = this
    // Somebody else was let in before, such as the anonymous consumer: nothing of it may stay.
    if (this.consumer !== undefined || this.credential !== undefined) removeIdentity(headers)
    this.consumer = consumer
    this.credential = credential
    headers['x-consumer-id'] = consumer.id
    if (consumer.custom_id !== null) headers['x-consumer-custom-id'] = headerText(consumer.custom_id)
    if (consumer.username !== null) headers['x-consumer-username'] = headerText(consumer.username)
    if (credential === undefined) headers['x-anonymous-consumer'] = 'true'
    else headers['x-credential-identifier'] = identifierOf(credential)
    if (this.target !== undefined) this.chain = this.chainsOf(this.target).of(consumer.id)
  }

  /** Says by which credential somebody calls who is no consumer. */
  authenticateStranger(credential: Credential): void {
    removeIdentity(this.headers)
    this.consumer = undefined
    this.credential = credential
    this.headers['x-credential-identifier'] = identifierOf(credential)
    if (this.target !== undefined) this.chain = this.chainsOf(this.target).base
  }

  /** Answers in place of the upstream, where Kong gives a body of its own instead of its template for errors. */
  answer({
    status,
    body = '',
    contentType = 'application/json; charset=utf-8',
    headers = [],
  }: GatewayAnswer): undefined {
    const type = body === '' ? [] : ['Content-Type', contentType]
    return this.#end(status, [...type, ...headers], body)
  }

  /** Answers in place of the upstream: Kong's error body with `message`, in the format that the client accepts. */
  exit(status: number, message: string, headers: readonly string[] = []): undefined {
    return this.#exit({ status, message, headers, accept: this.headers.accept })
  }

  /**
   * Answers in place of the upstream, with these very bytes. `headers` are names and values in turn. Content-Length is
   * that of the body unless they say it, as an answer to HEAD does.
   */
  respond(status: number, headers: readonly string[], body: string | Buffer): undefined {
    if (this.exited || this.response.headersSent) return undefined
    this.exited = true
    const saysLength = headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'content-length')
    const length = saysLength ? [] : ['Content-Length', String(Buffer.byteLength(body))]
    this.response.writeHead(status, [...headers, ...length])
    this.response.end(body)
    return undefined
  }

  /**
   * Reads the whole body of the request, which then goes to the upstream from memory; empty without one. Undefined
   * when it is longer than `bytesMax`, or when the client leaves.
   */
  async readBody(bytesMax: number): Promise<Buffer | undefined> {
    this.body ??= await collectBody(this.request, bytesMax)
    return this.body
  }

  /** Sends another body to the upstream than the one that was read. */
  replaceBody(body: Buffer): void {
    this.body = body
    delete this.headers['transfer-encoding']
    this.headers['content-length'] = String(body.length)
  }

  /** Answers for an upstream that cannot: as {@link exit}, but text for clients that say nothing of formats. */
  exitForUpstream(status: number, message: string): undefined {
    const accept = acceptOfUpstreamError(this.headers.accept, this.headers['content-type'])
    return this.#exit({ status, message, headers: [], accept })
  }

  /** Ends a call of gRPC in place of the upstream. `status` is HTTP's, for those who count, `trailers` say the rest. */
  endCall(status: number, trailers: readonly string[]): undefined {
    this.exited = true
    this.response.endWithHead(200, ['Content-Type', 'application/grpc', ...trailers])
    this.status = status
    return undefined
  }

  /** Ends an answer that cannot go on, so that nobody takes a part for the whole; answers if it has not begun. */
  breakOff(status: number, message: string): undefined {
    const { request, response } = this
    if (!response.headersSent) return this.exitForUpstream(status, message)
    if (!isCall(request) || response.writableEnded) return void response.destroy()
    this.exited = true
    const trailers = callStatus(status, message)
    for (let index = 0; index < trailers.length; index += 2) {
      response.addTrailers({ [trailers[index] ?? '']: trailers[index + 1] ?? '' })
    }
    response.end()
    return undefined
  }

  /** Answers for a service in this process that did not in time, and leaves it to itself. */
  abandon(): void {
    if (this.response.headersSent) return
    if (!this.exited) tellFailure(this, { upstream: 'this process', status: 504, error: ownFailure('UPSTREAM_HANGS') })
    this.exitForUpstream(504, 'The upstream server is timing out')
    this.response.abandoned = true
  }

  #exit(exit: { status: number; message: string; headers: readonly string[]; accept: string | undefined }): undefined {
    if (isCall(this.request)) return this.#end(exit.status, exit.headers, JSON.stringify({ message: exit.message }))
    const { contentType, body } = exitBody(exit.accept, exit.message, this.requestId)
    return this.#end(exit.status, ['Content-Type', contentType, ...exit.headers], body)
  }

  #end(status: number, headers: readonly string[], body: string): undefined {
    if (this.exited || this.response.headersSent) return undefined
    if (isCall(this.request)) {
      const others = headers.flatMap((name, index) =>
        index % 2 === 0 && !/^content-/i.test(name) ? [name, headers[index + 1] ?? ''] : [],
      )
      return this.endCall(status, [...others, ...callStatus(status, messageIn(body))])
    }
    this.exited = true
    const length = status === 204 || status === 304 ? [] : ['Content-Length', String(Buffer.byteLength(body))]
    this.response.writeHead(status, [...headers, ...length])
    this.response.end(body)
    return undefined
  }

  /** The head of the response is about to be written: adds what is known only now. Called by the response. */
  beginResponse(status: number): void {
    this.status = status
    if (this.respondedAtMs !== undefined) return
    const nowMs = performance.now()
    this.respondedAtMs = nowMs
    if (this.chain !== undefined) for (const plugin of this.chain.decorators) plugin.header?.(this)
    if (this.exited || this.dispatchedAtMs === undefined) {
      this.setReplyHeader(RESPONSE_LATENCY, wholeMs(nowMs - this.startedAtMs))
    } else {
      this.setReplyHeader(UPSTREAM_LATENCY, wholeMs(nowMs - this.dispatchedAtMs))
      this.setReplyHeader(PROXY_LATENCY, wholeMs(this.dispatchedAtMs - this.startedAtMs))
    }
    this.setReplyHeader(REQUEST_ID, this.requestId)
  }
}

function identifierOf({ id, identifier }: Credential): string {
  return identifier === undefined ? id : headerText(identifier)
}

function wholeMs(durationMs: number): string {
  return String(Math.trunc(durationMs))
}
