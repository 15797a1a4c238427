import { HEALTH_CALLS_MAX } from '../limits.ts'
import { isRecord } from '../values.ts'
import { type Admin, AdminRefusal, type Entity, type EntityList } from './admin.ts'
import { masked } from './secrets.ts'

/**
 * The gateway's configuration as the console shows it: entities as Kong has them, cut to what is shown. There is never
 * a credential in it, only how many of each kind a consumer has; secrets in plugins are masked.
 */
export type GatewayConfiguration = {
  readonly services: readonly GatewayService[]
  readonly routes: readonly GatewayRoute[]
  readonly consumers: readonly GatewayConsumer[]
  readonly plugins: readonly GatewayPlugin[]
  readonly upstreams: readonly GatewayUpstream[]
  /** Kinds of plugins that can be added, those that run first in front. */
  readonly installed: readonly string[]
  /** The configuration is a file: it changes only there. */
  readonly isReadOnly: boolean
  /** Kinds of entities of which there are more than are shown. */
  readonly incomplete: readonly string[]
}

export type GatewayService = {
  readonly id: string
  readonly name: string | null
  readonly url: string
  readonly enabled: boolean
  readonly host: string
}

export type GatewayRoute = {
  readonly id: string
  readonly name: string | null
  readonly service: string | undefined
  readonly protocols: readonly string[]
  readonly methods: readonly string[]
  readonly hosts: readonly string[]
  readonly paths: readonly string[]
}

export type GatewayConsumer = {
  readonly id: string
  readonly username: string | null
  readonly customId: string | null
  /** Credentials by their kind: `key-auth`, `jwt`, `basic-auth`. */
  readonly credentials: Readonly<Record<string, number>>
  readonly groups: readonly string[]
}

/** `service`, `route` and `consumer` are the ids of its scope; a plugin without any is for everything. */
export type GatewayPlugin = {
  readonly id: string
  readonly name: string
  readonly instanceName: string | null
  readonly enabled: boolean
  readonly service: string | undefined
  readonly route: string | undefined
  readonly consumer: string | undefined
  readonly protocols: readonly string[]
  readonly config: Readonly<Record<string, unknown>>
}

export type GatewayUpstream = {
  readonly id: string
  readonly name: string
  readonly algorithm: string
  readonly targets: readonly GatewayTarget[]
}

export type TargetHealth = 'HEALTHY' | 'UNHEALTHY' | 'HEALTHCHECKS_OFF' | 'DNS_ERROR'

export type GatewayTarget = {
  readonly id: string
  readonly target: string
  readonly weight: number
  readonly health: TargetHealth
  readonly addresses: readonly {
    readonly address: string
    readonly health: string
    /** `closed`, `open` or `half-open`; undefined without a circuit breaker. */
    readonly breaker: string | undefined
    readonly inFlight: number
  }[]
}

const CREDENTIALS = { 'key-auth': '/key-auths', jwt: '/jwts', 'basic-auth': '/basic-auths' } as const

/** Reads all of it. Throws AdminRefusal for what the Admin API refuses, such as a token that is not its own. */
export async function readConfiguration(admin: Admin): Promise<GatewayConfiguration> {
  const node = await admin.read('/')
  const [services, routes, consumers, plugins, upstreams] = await Promise.all(
    ['/services', '/routes', '/consumers', '/plugins', '/upstreams'].map((path) => admin.list(path)),
  )
  const credentials = await credentialsOf(admin)
  const lists = { services, routes, consumers, plugins, upstreams }
  const of = (list: EntityList | undefined) => list?.entities ?? []
  return {
    services: of(services).map(serviceOf),
    routes: of(routes).map(routeOf),
    consumers: of(consumers).map((consumer) => consumerOf(consumer, credentials)),
    plugins: of(plugins).map(pluginOf),
    upstreams: await upstreamsOf(admin, of(upstreams)),
    installed: installedIn(node),
    isReadOnly: isRecord(node.configuration) && node.configuration.database === 'off',
    incomplete: Object.entries(lists).flatMap(([kind, list]) => (list?.isComplete === false ? [kind] : [])),
  }
}

function installedIn({ plugins }: Entity): readonly string[] {
  const available = isRecord(plugins) && isRecord(plugins.available_on_server) ? plugins.available_on_server : {}
  const priorityOf = (name: string) => {
    const plugin = available[name]
    return isRecord(plugin) ? Number(plugin.priority) : 0
  }
  return Object.keys(available).sort((one, other) => priorityOf(other) - priorityOf(one) || one.localeCompare(other))
}

type Credentials = ReadonlyMap<string, { readonly counts: Record<string, number>; readonly groups: string[] }>

/** By consumer. Keys, secrets and passwords are read here and go no further. */
async function credentialsOf(admin: Admin): Promise<Credentials> {
  const byConsumer = new Map<string, { readonly counts: Record<string, number>; readonly groups: string[] }>()
  const entryOf = (entity: Entity) => {
    const id = idOf(entity.consumer) ?? ''
    const entry = byConsumer.get(id) ?? { counts: {}, groups: [] }
    byConsumer.set(id, entry)
    return entry
  }
  const [acls, ...lists] = await Promise.all(['/acls', ...Object.values(CREDENTIALS)].map((path) => admin.list(path)))
  for (const acl of acls?.entities ?? []) entryOf(acl).groups.push(String(acl.group))
  Object.keys(CREDENTIALS).forEach((kind, index) => {
    for (const credential of lists[index]?.entities ?? []) {
      const { counts } = entryOf(credential)
      counts[kind] = (counts[kind] ?? 0) + 1
    }
  })
  return byConsumer
}

function serviceOf(service: Entity): GatewayService {
  const { id, name, protocol, host, port, path, enabled } = service
  const url = `${protocol}://${host}:${port}${path ?? ''}`
  return { id: String(id), name: textOrNull(name), url, enabled: enabled === true, host: String(host) }
}

function routeOf(route: Entity): GatewayRoute {
  return {
    id: String(route.id),
    name: textOrNull(route.name),
    service: idOf(route.service),
    protocols: texts(route.protocols),
    methods: texts(route.methods),
    hosts: texts(route.hosts),
    paths: texts(route.paths),
  }
}

function consumerOf(consumer: Entity, credentials: Credentials): GatewayConsumer {
  const id = String(consumer.id)
  const { counts = {}, groups = [] } = credentials.get(id) ?? {}
  const { username, custom_id: customId } = consumer
  return { id, username: textOrNull(username), customId: textOrNull(customId), credentials: counts, groups }
}

function pluginOf(plugin: Entity): GatewayPlugin {
  return {
    id: String(plugin.id),
    name: String(plugin.name),
    instanceName: textOrNull(plugin.instance_name),
    enabled: plugin.enabled === true,
    service: idOf(plugin.service),
    route: idOf(plugin.route),
    consumer: idOf(plugin.consumer),
    protocols: texts(plugin.protocols),
    config: masked(plugin.config) as GatewayPlugin['config'],
  }
}

/** The plugin in an answer of the Admin API, as the console shows it. */
export function shownPlugin(body: unknown): unknown {
  return isRecord(body) && 'config' in body ? pluginOf(body) : body
}

/** Health is asked of each upstream: some at a time, so that hundreds are no burst. */
async function upstreamsOf(admin: Admin, upstreams: readonly Entity[]): Promise<readonly GatewayUpstream[]> {
  const shown: GatewayUpstream[] = []
  for (let from = 0; from < upstreams.length; from += HEALTH_CALLS_MAX) {
    const some = upstreams.slice(from, from + HEALTH_CALLS_MAX)
    shown.push(...(await Promise.all(some.map((upstream) => upstreamOf(admin, upstream)))))
  }
  return shown
}

async function upstreamOf(admin: Admin, { id, name, algorithm }: Entity): Promise<GatewayUpstream> {
  const health = await admin.read(`/upstreams/${id}/health`).catch((error: unknown) => {
    // It was deleted since the list was read.
    if (error instanceof AdminRefusal && error.reply.status === 404) return { data: [] }
    throw error
  })
  const targets = (health.data as readonly Entity[]).map(targetOf)
  return { id: String(id), name: String(name), algorithm: String(algorithm), targets }
}

function targetOf({ id, target, weight, health, data }: Entity): GatewayTarget {
  const addresses = isRecord(data) && Array.isArray(data.addresses) ? (data.addresses as readonly Entity[]) : []
  return {
    id: String(id),
    target: String(target),
    weight: Number(weight),
    health: health as TargetHealth,
    addresses: addresses.map((address) => ({
      address: `${address.ip}:${address.port}`,
      health: String(address.health),
      breaker: typeof address.circuit_breaker === 'string' ? address.circuit_breaker : undefined,
      inFlight: Number(address.requests_in_flight ?? 0),
    })),
  }
}

function idOf(reference: unknown): string | undefined {
  return isRecord(reference) ? String(reference.id) : undefined
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : []
}
