import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import {
  Bag,
  type Clock,
  ConnectionDrain,
  type Random,
  type StopOptions,
  systemClock,
  systemRandom,
} from '../core/index.ts'
import { Balancers, type UpstreamHealth } from './balancer/balancers.ts'
import { type ResolveName, resolveName } from './balancer/names.ts'
import { configProblem, requestFinished } from './channels.ts'
import { Peers } from './client-address.ts'
import { answerMalformed } from './client-error.ts'
import { type CompiledGateway, compileGateway } from './compile.ts'
import type { ConfigSource, GatewayConfig, ServiceEntity } from './config/entities.ts'
import { Exchange, type GatewayIdentity, type RouteTarget } from './exchange.ts'
import { continueWhenRead } from './expect-continue.ts'
import { failExchange } from './failure.ts'
import { outcomeOf, publishFinished } from './finished.ts'
import { limitCall, refuseMismatch } from './grpc.ts'
import { takeFromHttp1 } from './h2c.ts'
import { Http2Front } from './http2.ts'
import { IdleConnections } from './idle-connections.ts'
import {
  assertGatewayLimits,
  CLIENT_CHECK_MS,
  CLIENT_CONNECTIONS_MAX,
  CLIENT_IDLE_MARGIN_MS,
  CLIENT_IDLE_MS,
  CLIENT_SEND_TIMEOUT_MS,
  LOCAL_DEADLINE_CHECK_MS,
  REQUEST_HEAD_BYTES_MAX,
  REQUEST_HEAD_TIMEOUT_MS,
  REQUEST_HEADERS_MAX,
  REQUEST_TIMEOUT_MS,
} from './limits.ts'
import { Listeners } from './listeners.ts'
import { dispatchLocal } from './local-dispatch.ts'
import { runAccess } from './pipeline.ts'
import { PluginStates } from './plugin-states.ts'
import { type PluginDefinition, type PluginInstance, plugins } from './plugins/index.ts'
import { RemoteProxy } from './proxy.ts'
import type { RemoteDestination } from './remote-destination.ts'
import { type HeadFault, headFault, isHttp2 } from './request-head.ts'
import { readTarget } from './request-target.ts'
import { GatewayResponse } from './response.ts'
import type { CachedResponses } from './response-cache/response-store.ts'
import { matchedChars } from './router.ts'
import { TlsListener } from './tls-listener.ts'
import { asksForWebSocket, Upgrade } from './upgrade.ts'
import type { Upstream } from './upstream.ts'
import { cleanHeaders, rewriteRequest } from './upstream-request.ts'

export type GatewayOptions = {
  /** Where the configuration comes from. Followed from `listen` to `close`. */
  readonly config: ConfigSource
  /**
   * Where a service, or a target with the host of one, runs; undefined leaves it to its own protocol, host and port.
   * Asked once per configuration.
   */
  readonly resolve: (service: Pick<ServiceEntity, 'host'>) => Upstream | undefined
  /** What the gateway calls itself, `3.9.1`. */
  readonly version: string
  readonly clock?: Clock
  /** Whether the trace of one more request may be kept. Asked once for each that goes to a service. Default: none. */
  readonly sampleTrace?: () => boolean
  /** Default: all that are installed. */
  readonly plugins?: readonly PluginDefinition[]
  /** Addresses and CIDR blocks of proxies in front, whose X-Forwarded-* and X-Real-IP are believed. Default none. */
  readonly trustedIps?: readonly string[]
  /** Finds the addresses of targets. Default: the system's resolver, and DNS for how long they hold. */
  readonly resolveName?: ResolveName
  readonly random?: Random
  /** How long clients may take to send. Default: the limits of the gateway. */
  readonly clientTimeouts?: Partial<ClientTimeouts>
}

/**
 * For the head of a request, for all of it, for taking some of the answer, for the next request to come, and how often
 * connections are checked.
 */
export type ClientTimeouts = {
  readonly headMs: number
  readonly requestMs: number
  readonly sendMs: number
  readonly idleMs: number
  readonly checkMs: number
}

const CLIENT_TIMEOUTS: ClientTimeouts = {
  headMs: REQUEST_HEAD_TIMEOUT_MS,
  requestMs: REQUEST_TIMEOUT_MS,
  sendMs: CLIENT_SEND_TIMEOUT_MS,
  idleMs: CLIENT_IDLE_MS + CLIENT_IDLE_MARGIN_MS,
  checkMs: CLIENT_CHECK_MS,
}

export type GatewayStats = {
  readonly connectionsAccepted: number
  readonly connectionsActive: number
  readonly requestsTotal: number
  readonly requestsActive: number
}

/** `tlsPort`: for HTTPS, HTTP/2 included; none when not given. */
export type ListenOptions = { readonly host?: string; readonly port: number; readonly tlsPort?: number | undefined }

/** The data plane: one HTTP listener that routes, runs plugins, and hands requests to services here or elsewhere. */
export type Gateway = {
  /** Rejects with the system's error (`EADDRINUSE`). Port 0 takes a free one. Default host `0.0.0.0`. */
  listen(options: ListenOptions): Promise<{ readonly port: number; readonly tlsPort: number | undefined }>
  /** Puts a configuration in force at once, for requests that come after. Answers what in it cannot work. */
  reload(config: GatewayConfig): readonly string[]
  /** Refuses new connections, finishes what was accepted, cuts off what is left at the deadline. Idempotent. */
  close(options: StopOptions): Promise<void>
  stats(): GatewayStats
  /** What this gateway knows of the targets of its upstreams. */
  readonly upstreams: UpstreamHealth
  /** What plugins of this gateway keep of responses, by the plugin's id. */
  cachedResponses(): ReadonlyMap<string, CachedResponses>
}

export function createGateway(options: GatewayOptions): Gateway {
  assertGatewayLimits()
  return new NodeGateway(options)
}

class NodeGateway implements Gateway {
  readonly #options: GatewayOptions
  readonly #identity: GatewayIdentity
  readonly #timeouts: ClientTimeouts
  readonly #peers: Peers
  readonly #sampleTrace: () => boolean
  readonly #proxy = new RemoteProxy()
  readonly #balancers: Balancers
  readonly #server: Server<typeof IncomingMessage, typeof GatewayResponse>
  readonly #listeners: Listeners
  readonly #http2: Http2Front
  readonly #tls: TlsListener
  readonly #pluginStates = new PluginStates()
  readonly #connections: ConnectionDrain
  #compiled: CompiledGateway
  #unsubscribe: (() => void) | undefined
  #closing: Promise<void> | undefined
  #connectionsAccepted = 0
  #connectionsActive = 0
  #requestsTotal = 0
  readonly #active = new Bag<Exchange>()
  readonly #idle: IdleConnections
  #deadlines: NodeJS.Timeout | undefined
  #idleChecks: NodeJS.Timeout | undefined

  constructor(options: GatewayOptions) {
    this.#options = options
    this.#timeouts = { ...CLIENT_TIMEOUTS, ...options.clientTimeouts }
    const server = `kong/${options.version}`
    this.#identity = { server, via: `1.1 ${server}`, port: '', tlsPort: '', draining: false }
    this.#peers = new Peers(options.trustedIps ?? [])
    this.#sampleTrace = options.sampleTrace ?? (() => false)
    this.#idle = new IdleConnections(this.#timeouts.idleMs)
    this.#server = this.#createServer()
    this.#connections = new ConnectionDrain(this.#server)
    this.#listeners = new Listeners(this.#server)
    this.#balancers = new Balancers({
      resolve: options.resolve,
      resolveName: options.resolveName ?? resolveName,
      random: options.random ?? systemRandom,
      changed: () => this.#proxy.retain(remotesOf(this.#compiled)),
    })
    this.#http2 = new Http2Front(this.#receive, this.#timeouts.requestMs)
    this.#tls = new TlsListener({
      contextFor: (name) => this.#compiled.certificates.contextFor(name),
      admits: (socket) => this.#admits(socket),
      onHttp1: (socket) => this.#server.emit('connection', socket),
      onHttp2: (socket) => this.#http2.accept(socket),
    })
    this.#compiled = this.#compile(NOTHING)
  }

  get upstreams(): UpstreamHealth {
    return this.#balancers
  }

  cachedResponses(): ReadonlyMap<string, CachedResponses> {
    return this.#compiled.responses
  }

  async listen({ host = '0.0.0.0', port, tlsPort }: ListenOptions) {
    this.reload(this.#options.config.snapshot())
    this.#unsubscribe = this.#options.config.subscribe((config) => void this.reload(config))
    try {
      const bound = await this.#listeners.listen({ host, port })
      const boundTls = tlsPort === undefined ? undefined : await this.#tls.listen({ host, port: tlsPort })
      this.#deadlines = setInterval(() => this.#abandonLate(), LOCAL_DEADLINE_CHECK_MS)
      this.#idleChecks = setInterval(() => this.#idle.sweep(performance.now()), this.#timeouts.checkMs)
      this.#identity.port = String(bound)
      this.#identity.tlsPort = String(boundTls ?? '')
      return { port: bound, tlsPort: boundTls }
    } catch (error) {
      this.#unsubscribe()
      await this.#listeners.close()
      throw error
    }
  }

  reload(config: GatewayConfig): readonly string[] {
    this.#compiled = this.#compile(config)
    this.#proxy.retain(remotesOf(this.#compiled))
    this.#tls.showUnnamed(this.#compiled.certificates.unnamed)
    return this.#compiled.problems
  }

  close(options: StopOptions): Promise<void> {
    this.#closing ??= this.#drain(options)
    return this.#closing
  }

  stats(): GatewayStats {
    return {
      connectionsAccepted: this.#connectionsAccepted,
      connectionsActive: this.#connectionsActive,
      requestsTotal: this.#requestsTotal,
      requestsActive: this.#active.size,
    }
  }

  #compile(config: GatewayConfig): CompiledGateway {
    this.#balancers.update(config)
    const compiled = compileGateway(config, {
      resolve: this.#options.resolve,
      balancers: this.#balancers,
      plugins: {
        definitions: this.#options.plugins ?? plugins,
        clock: this.#options.clock ?? systemClock,
        random: this.#options.random ?? systemRandom,
        identities: () => this.#compiled.identities,
        states: this.#pluginStates,
      },
    })
    for (const message of compiled.problems) configProblem.publish({ message })
    return compiled
  }

  #createServer() {
    const { headMs, requestMs, checkMs } = this.#timeouts
    const server = createServer({
      ServerResponse: GatewayResponse,
      maxHeaderSize: REQUEST_HEAD_BYTES_MAX,
      headersTimeout: headMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: checkMs,
      // Idle connections are ended by the gateway itself, and answers say how long one may be.
      keepAliveTimeout: 0,
      // The gateway answers for these itself, in its own format.
      requireHostHeader: false,
      insecureHTTPParser: false,
      shouldUpgradeCallback: asksForWebSocket,
      // Most requests have no body: none of them then pays for the life of a stream that nobody reads.
      optimizeEmptyRequests: true,
    })
    // Node drops what is above: one more is let through, so that the request can be refused instead.
    server.maxHeadersCount = REQUEST_HEADERS_MAX + 1
    server.on('request', this.#receive)
    server.on('checkExpectation', this.#receive)
    server.on('checkContinue', (request, response) => {
      continueWhenRead(request, response)
      this.#handle(request, response)
    })
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, head))
    server.on('connection', (socket: Socket) => {
      // Those of the TLS port have been counted before their handshake.
      if (!(socket instanceof TLSSocket) && !this.#admits(socket)) socket.destroy()
    })
    server.on('clientError', (error, socket) => this.#readElse(error, socket as Socket))
    server.on('connect', (_request, socket) => answerMalformed('connect', socket as Socket, this.#identity.server))
    return server
  }

  /** What is no HTTP/1.1 may be HTTP/2. */
  #readElse(error: NodeJS.ErrnoException, socket: Socket): void {
    // The parser that a connection was taken from has still its clock, and tells when it has run out.
    if (this.#http2.has(socket)) return
    if (takeFromHttp1(error, socket)) {
      this.#connections.release(socket)
      this.#http2.accept(socket)
    } else {
      answerMalformed(error, socket, this.#identity.server)
    }
  }

  #admits(socket: Socket): boolean {
    if (this.#connectionsActive >= CLIENT_CONNECTIONS_MAX) return false
    this.#connectionsAccepted += 1
    this.#connectionsActive += 1
    socket.once('close', () => {
      this.#connectionsActive -= 1
    })
    return true
  }

  readonly #receive = (request: IncomingMessage, response: GatewayResponse): void => {
    this.#handle(request, response)
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const upgrade = new Upgrade(socket, head)
    this.#handle(request, upgrade.responseTo(request), upgrade)
  }

  #handle(request: IncomingMessage, response: GatewayResponse, upgrade?: Upgrade): void {
    const peer = this.#peers.of(request.socket)
    if (peer.refused) return
    this.#requestsTotal += 1
    if (!isHttp2(request)) this.#idle.begin(peer)
    const exchange = new Exchange(request, response, { identity: this.#identity, peer })
    response.exchange = exchange
    exchange.upgrade = upgrade
    this.#active.add(exchange)
    response.on('close', this.#onClose)
    try {
      const pending = this.#route(exchange)
      pending?.catch((error: unknown) => failExchange(exchange, error))
    } catch (error) {
      failExchange(exchange, error)
    }
  }

  #route(exchange: Exchange): undefined | Promise<void> {
    const { request } = exchange
    const fault = headFault(request)
    if (fault !== undefined) return refuse(exchange, fault)
    if (request.method === 'TRACE') return exchange.exit(405, 'Method not allowed')
    if (!readTarget(exchange)) return refuse(exchange, BAD_TARGET)
    cleanHeaders(exchange.headers)
    const row = this.#compiled.router.match(request, exchange.path, exchange.peer)
    if (row === undefined) return exchange.exit(404, 'no Route matched with those values')
    exchange.target = row.target
    if (row.target.path.strip) exchange.matchedChars = matchedChars(row, exchange.path)
    exchange.chain = exchange.chainsOf(row.target).base
    if (this.#misses(exchange, row.target)) return undefined
    limitCall(exchange)
    return runAccess(exchange, this.#forward)
  }

  /** Answers a request that came by another protocol than its route is for. */
  #misses(exchange: Exchange, target: RouteTarget): boolean {
    if (target.isForCalls) return refuseMismatch(exchange, target, isSecure(exchange))
    if (target.isForPlain || isSecure(exchange)) return false
    demandHttps(exchange, target)
    return true
  }

  readonly #forward = (exchange: Exchange): undefined | Promise<void> => {
    const target = exchange.target
    if (target?.service === undefined) return exchange.exit(503, 'no Service found with those values')
    if (target.destination === undefined) return exchange.exit(503, 'failure to get a peer from the ring-balancer')
    const timeoutMs = rewriteRequest(exchange, target as RouteTarget & { service: ServiceEntity }, this.#sampleTrace)
    if (timeoutMs <= 0) return exchange.exitForUpstream(504, 'The upstream server is timing out')
    switch (target.destination.kind) {
      case 'local':
        dispatchLocal(exchange, target.destination, { timeoutMs })
        return undefined
      case 'remote':
        this.#proxy.forward(exchange, target.destination, timeoutMs)
        return undefined
      case 'balanced':
        return this.#proxy.forwardBalanced(exchange, target.destination, timeoutMs)
    }
  }

  /** One function for all responses, which Node calls as their method. */
  readonly #onClose = closing((exchange) => this.#finish(exchange))

  #finish(exchange: Exchange): void {
    exchange.closed = true
    this.#active.delete(exchange)
    // Over HTTP/2, what was broken off is finished as well.
    if (!exchange.response.writableFinished || !exchange.response.writableEnded) exchange.upstreamWork?.abort()
    exchange.upstreamWork = undefined
    this.#tell(exchange)
    if (isHttp2(exchange.request)) exchange.peer.receivedBytes = exchange.peer.socket.bytesRead
    else this.#idle.end(exchange.peer)
  }

  #tell(exchange: Exchange): void {
    const loggers = exchange.chain?.loggers ?? NONE
    if (!requestFinished.hasSubscribers && loggers.length === 0) return
    const outcome = outcomeOf(exchange)
    for (const plugin of loggers) plugin.log?.(exchange, outcome)
    if (requestFinished.hasSubscribers) publishFinished(exchange, outcome)
  }

  #abandonLate(): void {
    // A service answers its own deadline; only after one more check it counts as hanging.
    const nowMs = performance.now()
    const { sendMs } = this.#timeouts
    for (const exchange of this.#active.all()) {
      if (exchange.deadlineAtMs < nowMs - LOCAL_DEADLINE_CHECK_MS) exchange.abandon()
      if (exchange.blockedAtMs < nowMs - sendMs) exchange.response.destroy()
    }
  }

  async #drain(options: StopOptions): Promise<void> {
    this.#unsubscribe?.()
    this.#identity.draining = true
    this.#http2.drain()
    for (const exchange of this.#active.all()) exchange.upgrade?.end()
    const closed = Promise.all([this.#listeners.close(), this.#tls.close()])
    await this.#connections.end(closed, options)
    this.#tls.destroy()
    this.#http2.destroy()
    for (const exchange of this.#active.all()) exchange.upgrade?.destroy()
    clearInterval(this.#deadlines)
    clearInterval(this.#idleChecks)
    this.#balancers.stop()
    this.#proxy.destroy()
    await this.#pluginStates.stop(options)
  }
}

const NONE: readonly PluginInstance[] = []

function closing(finish: (exchange: Exchange) => void) {
  return function onClose(this: GatewayResponse): void {
    if (this.exchange !== undefined) finish(this.exchange)
  }
}

function remotesOf({ balanced, remotes }: CompiledGateway): readonly RemoteDestination[] {
  return balanced.length === 0 ? remotes : [...remotes, ...balanced.flatMap((destination) => destination.remotes())]
}

/** In force until `listen`: the source need not be ready before. */
const NOTHING: GatewayConfig = {
  version: 0,
  services: [],
  routes: [],
  consumers: [],
  keyAuthCredentials: [],
  jwtSecrets: [],
  basicAuthCredentials: [],
  acls: [],
  plugins: [],
  upstreams: [],
  targets: [],
  certificates: [],
  snis: [],
  caCertificates: [],
}

const BAD_TARGET: HeadFault = { status: 400, message: 'Bad request' }

/** Answers what is no proper request, and ends its connection. */
function refuse(exchange: Exchange, { status, message }: HeadFault): undefined {
  exchange.response.shouldKeepAlive = false
  if (!isHttp2(exchange.request)) exchange.peer.refused = true
  return exchange.exit(status, message)
}

/** By TLS, or so says a proxy that is believed. */
function isSecure({ secure, peer, headers }: Exchange): boolean {
  return secure || (peer.trusted && headers['x-forwarded-proto'] === 'https')
}

const REDIRECTS = new Set([301, 302, 307, 308])

/** A route for HTTPS only, asked for without. */
function demandHttps(exchange: Exchange, { route }: RouteTarget): undefined {
  const { headers, rawPath, query, response } = exchange
  const status = route.https_redirect_status_code
  if (REDIRECTS.has(status)) {
    const host = (headers.host ?? '').replace(/:\d+$/, '')
    return exchange.exit(status, 'Please use HTTPS protocol', ['Location', `https://${host}${rawPath}${query}`])
  }
  // Whoever sets this header tells Node, too, whether the connection stays.
  const connection = response.shouldKeepAlive && !exchange.draining ? 'Upgrade' : 'Upgrade, close'
  return exchange.exit(426, 'Please use HTTPS protocol', ['Connection', connection, 'Upgrade', 'TLS/1.2, HTTP/1.1'])
}
