import type { GatewayConfiguration, GatewayConsumer, GatewayPlugin, GatewayRoute } from '../../../src/console/index.ts'

/** Whose traffic: that of one entity of the gateway, or of all. */
export type Subject = { readonly kind: 'all' | 'service' | 'route' | 'consumer'; readonly id: string }

/** Names of entities by their ids, as people know them. */
export type Names = {
  service(id: string): string
  route(id: string): string
  consumer(id: string): string
}

export function namesOf({ services, routes, consumers }: GatewayConfiguration): Names {
  const serviceNames = new Map(services.map(({ id, name, host }) => [id, name ?? host]))
  const routeNames = new Map(routes.map((route) => [route.id, routeName(route)]))
  const consumerNames = new Map(consumers.map((consumer) => [consumer.id, consumerName(consumer)]))
  return {
    service: (id) => serviceNames.get(id) ?? id,
    route: (id) => routeNames.get(id) ?? id,
    consumer: (id) => consumerNames.get(id) ?? id,
  }
}

export function routeName(route: GatewayRoute): string {
  const { method, where } = matchOf(route)
  return route.name ?? `${method} ${where}`
}

export function consumerName({ id, username, customId }: GatewayConsumer): string {
  return username ?? customId ?? id
}

/** What a route matches: methods, and hosts with paths. */
export function matchOf({ methods, hosts, paths, protocols }: GatewayRoute) {
  const places = paths.length > 0 ? paths : ['/']
  const where = hosts.length === 0 ? places : hosts.flatMap((host) => places.map((path) => host + path))
  const any = protocols.some((protocol) => protocol.startsWith('grpc')) ? 'gRPC' : 'ANY'
  return { method: methods.join(' ') || any, where: where.join(', ') }
}

export const SCOPE_KINDS = ['service', 'route', 'consumer'] as const
export type ScopeKind = (typeof SCOPE_KINDS)[number]

export type ScopePart = { readonly kind: ScopeKind; readonly id: string; readonly name: string }

/** What a plugin is for; empty for everything. */
export function scopeOf(plugin: Pick<GatewayPlugin, ScopeKind>, names: Names): readonly ScopePart[] {
  return SCOPE_KINDS.flatMap((kind) => {
    const id = plugin[kind]
    return id === undefined ? [] : [{ kind, id, name: names[kind](id) }]
  })
}

/** Plugins by what they are for: how many are on each entity itself. */
export function pluginCounts(plugins: readonly GatewayPlugin[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const plugin of plugins) {
    for (const kind of SCOPE_KINDS) {
      const id = plugin[kind]
      if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1)
    }
  }
  return counts
}

/** Whether all words are in the text, in any order and case. */
export function matches(filter: string, ...texts: readonly (string | null | undefined)[]): boolean {
  const text = texts.join(' ').toLowerCase()
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}
