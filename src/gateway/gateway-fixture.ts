import { once } from 'node:events'
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import type { Clock } from '../core/index.ts'
import { type Catalog, createCatalog } from './config/catalog.ts'
import type { ConfigSource, Entity, GatewayConfig } from './config/entities.ts'
import { prepareInsert, prepareUpdate } from './config/prepare.ts'
import { createGateway, type Gateway, type GatewayOptions } from './gateway.ts'
import { plugins } from './plugins/index.ts'

/**
 * For the gateway's own tests: configurations as the Admin API would make them, a gateway on a free port, a plain
 * client.
 */

const installed = createCatalog(plugins)

/** Kinds of entities, and the list of a configuration that holds them. */
const LISTS = {
  services: 'services',
  routes: 'routes',
  consumers: 'consumers',
  plugins: 'plugins',
  certificates: 'certificates',
  snis: 'snis',
  ca_certificates: 'caCertificates',
  keyauth_credentials: 'keyAuthCredentials',
  jwt_secrets: 'jwtSecrets',
  basicauth_credentials: 'basicAuthCredentials',
  acls: 'acls',
  upstreams: 'upstreams',
  targets: 'targets',
} as const

type Kind = keyof typeof LISTS
type EntityOf<K extends Kind> = GatewayConfig[(typeof LISTS)[K]][number]

/** A configuration in memory that validates and completes what is added with the store's own code. */
export class ConfigFixture implements ConfigSource {
  #config: GatewayConfig = {
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
  readonly #listeners = new Set<(config: GatewayConfig) => void>()
  readonly #catalog: Catalog

  constructor(catalog: Catalog = installed) {
    this.#catalog = catalog
  }

  add<K extends Kind>(kind: K, input: Readonly<Record<string, unknown>>): EntityOf<K> {
    const entity = prepareInsert(this.#catalog, this.#catalog.kind(kind), input) as EntityOf<K>
    const list = this.#config[LISTS[kind]] as readonly unknown[]
    this.replace({ ...this.#config, [LISTS[kind]]: [...list, entity] })
    return entity
  }

  /** Changes what is there, as a PATCH of these fields would. */
  change(kind: Kind, id: string, input: Readonly<Record<string, unknown>>): void {
    const list: readonly Entity[] = this.#config[LISTS[kind]]
    const changed = list.map((entity) =>
      entity.id === id ? prepareUpdate(this.#catalog, this.#catalog.kind(kind), { current: entity, input }) : entity,
    )
    this.replace({ ...this.#config, [LISTS[kind]]: changed })
  }

  remove(kind: Kind, id: string): void {
    const list: readonly { readonly id: string }[] = this.#config[LISTS[kind]]
    this.replace({ ...this.#config, [LISTS[kind]]: list.filter((entity) => entity.id !== id) })
  }

  replace(config: GatewayConfig): void {
    this.#config = { ...config, version: this.#config.version + 1 }
    for (const listener of this.#listeners) listener(this.#config)
  }

  snapshot(): GatewayConfig {
    return this.#config
  }

  subscribe(listener: (config: GatewayConfig) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }
}

/** A service with one route to it. */
export function addRoute(config: ConfigFixture, route: Record<string, unknown>, service: Record<string, unknown> = {}) {
  const added = config.add('services', { host: 'order-service', ...service })
  return { service: added, route: config.add('routes', { ...route, service: { id: added.id } }) }
}

export type RunningGateway = { readonly gateway: Gateway; readonly port: number; readonly tlsPort: number }

/** A gateway on loopback that is closed when the test ends. */
export async function startGateway(
  context: TestContext,
  options: { readonly config: ConfigSource } & Partial<GatewayOptions>,
): Promise<RunningGateway> {
  const gateway = createGateway({ resolve: () => undefined, version: '3.9.1', ...options })
  const { port, tlsPort = 0 } = await gateway.listen({ host: '127.0.0.1', port: 0, tlsPort: 0 })
  context.after(() => gateway.close({ deadlineAtMs: Date.now() + 1_000 }))
  return { gateway, port, tlsPort }
}

/** A clock that stands still until it is moved. */
export class StandingClock implements Clock {
  #nowMs: number

  constructor(iso: string) {
    this.#nowMs = Date.parse(iso)
  }

  now(): number {
    return this.#nowMs
  }

  moveTo(iso: string): void {
    this.#nowMs = Date.parse(iso)
  }
}

export type Answer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly body: string
}

export type Ask = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
}

/** One request on a connection of its own, its path sent as it is. */
export function ask(port: number, path: string, { method = 'GET', headers = {}, body }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = { host: '127.0.0.1', port, path, method, headers: headers as Record<string, string>, agent: false }
    const request = httpRequest(outgoing, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          rawHeaders: response.rawHeaders,
          body: Buffer.concat(chunks).toString(),
        }),
      )
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** The body of an answer by TLS, whoever certifies it. */
export async function askByTls(port: number, path: string): Promise<string> {
  const outgoing = httpsRequest({ host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false })
  const [answer] = (await once(outgoing.end(), 'response')) as [IncomingMessage]
  return text(answer)
}

/** Sends bytes as they are and reads until the connection ends. */
export function exchangeBytes(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => void socket.write(bytes))
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
}
