import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { type Clock, ConnectionDrain, type Random, type StopOptions, systemClock, systemRandom } from '../core/index.ts'
import { Balancers, type UpstreamHealth } from './balancer/balancers.ts'
import { type ResolveName, resolveName } from './balancer/names.ts'
import { configProblem, requestFinished } from './channels.ts'
import { Peers } from './client-address.ts'
import { answerMalformed } from './client-error.ts'
import { type CompiledGateway, compileGateway } from './compile.ts'
import type { ConfigSource, GatewayConfig, ServiceEntity } from './config/entities.ts'
import { Exchange, type GatewayIdentity, type RouteTarget } from './exchange.ts'
import { failExchange } from './failure.ts'
import { outcomeOf, publishFinished } from './finished.ts'
import {
  assertGatewayLimits,
  CLIENT_CONNECTIONS_MAX,
  CLIENT_IDLE_MS,
  LOCAL_DEADLINE_CHECK_MS,
  REQUEST_HEAD_BYTES_MAX,
  REQUEST_HEAD_TIMEOUT_MS,
  REQUEST_TIMEOUT_MS,
} from './limits.ts'
import { Listeners } from './listeners.ts'
import { dispatchLocal } from './local-dispatch.ts'
import { normalisePath } from './path.ts'
import { runAccess } from './pipeline.ts'
import { PluginStates } from './plugin-states.ts'
import { type PluginDefinition, type PluginInstance, plugins } from './plugins/index.ts'
import { RemoteProxy } from './proxy.ts'
import type { RemoteDestination } from './remote-destination.ts'
import { GatewayResponse } from './response.ts'
import { matchedChars } from './router.ts'
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
}

export type GatewayStats = {
  readonly connectionsAccepted: number
  readonly connectionsActive: number
  readonly requestsTotal: number
  readonly requestsActive: number
}

/** The data plane: one HTTP listener that routes, runs plugins, and hands requests to services here or elsewhere. */
export type Gateway = {
  /** Rejects with the system's error (`EADDRINUSE`). Port 0 takes a free one. Default host `0.0.0.0`. */
  listen(options: { readonly host?: string; readonly port: number }): Promise<{ readonly port: number }>
  /** Puts a configuration in force at once, for requests that come after. Answers what in it cannot work. */
  reload(config: GatewayConfig): readonly string[]
  /** Refuses new connections, finishes what was accepted, cuts off what is left at the deadline. Idempotent. */
  close(options: StopOptions): Promise<void>
  stats(): GatewayStats
  /** What this gateway knows of the targets of its upstreams. */
  readonly upstreams: UpstreamHealth
}

export function createGateway(options: GatewayOptions): Gateway {
  assertGatewayLimits()
  return new NodeGateway(options)
}

class NodeGateway implements Gateway {
  readonly #options: GatewayOptions
  readonly #identity: GatewayIdentity
  readonly #peers: Peers
  readonly #sampleTrace: () => boolean
  readonly #proxy = new RemoteProxy()
  readonly #balancers: Balancers
  readonly #server: Server<typeof IncomingMessage, typeof GatewayResponse>
  readonly #listeners: Listeners
  readonly #pluginStates = new PluginStates()
  readonly #connections: ConnectionDrain
  #compiled: CompiledGateway
  #unsubscribe: (() => void) | undefined
  #closing: Promise<void> | undefined
  #connectionsAccepted = 0
  #connectionsActive = 0
  #requestsTotal = 0
  readonly #active = new Set<Exchange>()
  #deadlines: NodeJS.Timeout | undefined

  constructor(options: GatewayOptions) {
    this.#options = options
    const server = `kong/${options.version}`
    this.#identity = { server, via: `1.1 ${server}`, port: '', draining: false }
    this.#peers = new Peers(options.trustedIps ?? [])
    this.#sampleTrace = options.sampleTrace ?? (() => false)
    this.#server = this.#createServer()
    this.#connections = new ConnectionDrain(this.#server)
    this.#listeners = new Listeners(this.#server)
    this.#balancers = new Balancers({
      resolve: options.resolve,
      resolveName: options.resolveName ?? resolveName,
      random: options.random ?? systemRandom,
      changed: () => this.#proxy.retain(remotesOf(this.#compiled)),
    })
    this.#compiled = this.#compile(NOTHING)
  }

  get upstreams(): UpstreamHealth {
    return this.#balancers
  }

  async listen({ host = '0.0.0.0', port }: { readonly host?: string; readonly port: number }) {
    this.reload(this.#options.config.snapshot())
    this.#unsubscribe = this.#options.config.subscribe((config) => void this.reload(config))
    try {
      const bound = await this.#listeners.listen({ host, port })
      this.#deadlines = setInterval(() => this.#abandonLate(), LOCAL_DEADLINE_CHECK_MS)
      this.#identity.port = String(bound)
      return { port: bound }
    } catch (error) {
      this.#unsubscribe()
      throw error
    }
  }

  reload(config: GatewayConfig): readonly string[] {
    this.#compiled = this.#compile(config)
    this.#proxy.retain(remotesOf(this.#compiled))
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
        identities: () => this.#compiled.identities,
        states: this.#pluginStates,
      },
    })
    for (const message of compiled.problems) configProblem.publish({ message })
    return compiled
  }

  #createServer() {
    const server = createServer({
      ServerResponse: GatewayResponse,
      maxHeaderSize: REQUEST_HEAD_BYTES_MAX,
      headersTimeout: REQUEST_HEAD_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: CLIENT_IDLE_MS,
    })
    server.on('request', (request, response) => this.#handle(request, response))
    server.on('connection', (socket: Socket) => {
      if (this.#connectionsActive >= CLIENT_CONNECTIONS_MAX) return void socket.destroy()
      this.#connectionsAccepted += 1
      this.#connectionsActive += 1
      socket.once('close', () => {
        this.#connectionsActive -= 1
      })
    })
    server.on('clientError', (error, socket) => answerMalformed(error, socket as Socket, this.#identity.server))
    server.on('connect', (_request, socket) => answerMalformed('connect', socket as Socket, this.#identity.server))
    return server
  }

  #handle(request: IncomingMessage, response: GatewayResponse): void {
    this.#requestsTotal += 1
    const exchange = new Exchange(request, response, { identity: this.#identity, peer: this.#peers.of(request.socket) })
    response.exchange = exchange
    this.#active.add(exchange)
    const bytesBefore = request.socket.bytesWritten
    response.on('close', () => this.#finish(exchange, bytesBefore))
    try {
      const pending = this.#route(exchange)
      pending?.catch((error: unknown) => failExchange(exchange, error))
    } catch (error) {
      failExchange(exchange, error)
    }
  }

  #route(exchange: Exchange): undefined | Promise<void> {
    const { request } = exchange
    if (request.method === 'TRACE') return exchange.exit(405, 'Method not allowed')
    if (!readTarget(exchange)) return exchange.exit(400, 'Bad request')
    cleanHeaders(exchange.headers)
    const row = this.#compiled.router.match(request, exchange.path)
    if (row === undefined) return exchange.exit(404, 'no Route matched with those values')
    exchange.target = row.target
    if (row.target.path.strip) exchange.matchedChars = matchedChars(row, exchange.path)
    exchange.chain = row.target.chains.base
    if (!row.target.route.protocols.includes('http')) return demandHttps(exchange, row.target)
    return runAccess(exchange, this.#forward)
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

  #finish(exchange: Exchange, bytesBefore: number): void {
    exchange.closed = true
    this.#active.delete(exchange)
    if (!exchange.response.writableFinished) exchange.onAbort?.()
    const loggers = exchange.chain?.loggers ?? NONE
    if (!requestFinished.hasSubscribers && loggers.length === 0) return
    const outcome = outcomeOf(exchange, bytesBefore)
    for (const plugin of loggers) plugin.log?.(exchange, outcome)
    if (requestFinished.hasSubscribers) publishFinished(exchange, outcome)
  }

  #abandonLate(): void {
    // A service answers its own deadline; only after one more check it counts as hanging.
    const limitMs = performance.now() - LOCAL_DEADLINE_CHECK_MS
    for (const exchange of this.#active) if (exchange.deadlineAtMs < limitMs) exchange.abandon()
  }

  async #drain(options: StopOptions): Promise<void> {
    this.#unsubscribe?.()
    this.#identity.draining = true
    await this.#connections.end(this.#listeners.close(), options)
    clearInterval(this.#deadlines)
    this.#balancers.stop()
    await Promise.all([this.#proxy.destroy(), this.#pluginStates.stop(options)])
  }
}

const NONE: readonly PluginInstance[] = []

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
}

/** Splits the request's target; false when it is none that a gateway can serve. */
function readTarget(exchange: Exchange): boolean {
  const url = exchange.request.url ?? ''
  const target = url.startsWith('/') ? url : /^https?:\/\/[^/?]*(.*)$/i.exec(url)?.[1]
  if (target === undefined) return false
  const mark = target.indexOf('?')
  exchange.rawPath = (mark < 0 ? target : target.slice(0, mark)) || '/'
  exchange.query = mark < 0 ? '' : target.slice(mark)
  exchange.path = normalisePath(exchange.rawPath)
  return true
}

const REDIRECTS = new Set([301, 302, 307, 308])

/** A route for HTTPS only, asked for without. */
function demandHttps(exchange: Exchange, { route }: RouteTarget): undefined {
  const status = route.https_redirect_status_code
  if (REDIRECTS.has(status)) {
    const host = (exchange.headers.host ?? '').replace(/:\d+$/, '')
    return exchange.exit(status, 'Please use HTTPS protocol', ['Location', `https://${host}${exchange.request.url}`])
  }
  return exchange.exit(426, 'Please use HTTPS protocol', ['Connection', 'Upgrade', 'Upgrade', 'TLS/1.2, HTTP/1.1'])
}
