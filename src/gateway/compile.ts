import type { Balancers } from './balancer/balancers.ts'
import { BalancedDestination } from './balancer/destination.ts'
import { type Certificates, compileCertificates } from './certificates.ts'
import type { GatewayConfig, RouteEntity, ServiceEntity } from './config/entities.ts'
import type { Place, RouteTarget } from './exchange.ts'
import { type Identities, indexIdentities } from './identities.ts'
import {
  compilePlugins,
  HTTP_PROTOCOLS,
  type HttpProtocol,
  type PluginEnvironment,
  type PluginSet,
} from './pipeline.ts'
import type { PluginInstance } from './plugins/index.ts'
import { isGrpc, type RemoteDestination, remoteDestination } from './remote-destination.ts'
import type { CachedResponses } from './response-cache/response-store.ts'
import { compileRouter, type Router, type RouterEntry } from './router.ts'
import { hostHeader, originOf, type Upstream } from './upstream.ts'
import { upstreamTls } from './upstream-tls.ts'

/** A configuration made ready for requests: nothing in it is looked up or decided twice. */
export type CompiledGateway = {
  readonly router: Router<RouteTarget>
  readonly identities: Identities
  readonly remotes: readonly RemoteDestination[]
  readonly balanced: readonly BalancedDestination[]
  readonly certificates: Certificates
  /** What plugins keep of responses, by the plugin's id. */
  readonly responses: ReadonlyMap<string, CachedResponses>
  readonly problems: readonly string[]
}

export type CompileOptions = {
  readonly resolve: (service: Pick<ServiceEntity, 'host'>) => Upstream | undefined
  /** Of the same configuration. */
  readonly balancers: Pick<Balancers, 'named'>
  readonly plugins: PluginEnvironment
}

export function compileGateway(config: GatewayConfig, options: CompileOptions): CompiledGateway {
  const pluginsFor = pluginSets(config, options.plugins)
  const sets = [...new Set(HTTP_PROTOCOLS.map(pluginsFor))]
  // Once all that asks has asked: what only plugins for one protocol use is kept, too.
  options.plugins.states.retain(config.plugins)
  const services = new Map(config.services.map((service) => [service.id, service]))
  const destinations = new Map(config.services.map((service) => [service.id, destinationOf(service, config, options)]))
  const entries = config.routes
    .filter((route) => isServed(route, services))
    .map((route): RouterEntry<RouteTarget> => {
      const service = route.service === null ? undefined : services.get(route.service.id)
      const destination = service && destinations.get(service.id)
      return { route, target: targetOf({ route, service, destination, pluginsFor }, config, options) }
    })
  const router = compileRouter(entries)
  const alternatives = entries.flatMap(({ target }) => [...target.alternatives.values()])
  const reached = [...destinations.values(), ...alternatives.map(({ destination }) => destination)]
  const certificates = compileCertificates(config)
  return {
    router,
    identities: indexIdentities(config),
    remotes: reached.filter((destination) => destination?.kind === 'remote'),
    balanced: reached.filter((destination) => destination?.kind === 'balanced'),
    certificates,
    responses: responsesOf(sets.flatMap(({ instances }) => [...instances])),
    problems: [...new Set(sets.flatMap(({ problems }) => problems)), ...router.problems, ...certificates.problems],
  }
}

function responsesOf(instances: readonly (readonly [string, PluginInstance])[]): CompiledGateway['responses'] {
  return new Map(
    instances.flatMap(([id, { responses }]) => (responses === undefined ? [] : [[id, responses] as const])),
  )
}

/** The routes of a disabled service vanish with it; those for other protocols than HTTP belong to other listeners. */
function isServed(route: RouteEntity, services: ReadonlyMap<string, ServiceEntity>): boolean {
  const enabled = route.service === null || services.get(route.service.id)?.enabled === true
  return enabled && route.protocols.some((protocol) => (HTTP_PROTOCOLS as readonly string[]).includes(protocol))
}

/** The plugins for each protocol: mostly the same, and then made once. */
function pluginSets(config: GatewayConfig, environment: PluginEnvironment): (protocol: HttpProtocol) => PluginSet {
  const sets = new Map<string, PluginSet>()
  const idsFor = (protocol: HttpProtocol) =>
    config.plugins.flatMap(({ id, protocols }) => (protocols.includes(protocol) ? [id] : [])).join(' ')
  const byProtocol = Object.fromEntries(
    HTTP_PROTOCOLS.map((protocol) => {
      const ids = idsFor(protocol)
      const plugins = sets.get(ids) ?? compilePlugins(config, environment, protocol)
      sets.set(ids, plugins)
      return [protocol, plugins]
    }),
  ) as Record<HttpProtocol, PluginSet>
  return (protocol) => byProtocol[protocol]
}

type TargetParts = Pick<RouteTarget, 'route' | 'service' | 'destination'> & {
  readonly pluginsFor: (protocol: HttpProtocol) => PluginSet
}

function targetOf(parts: TargetParts, config: GatewayConfig, options: CompileOptions): RouteTarget {
  const { route, service, destination, pluginsFor } = parts
  const isForCalls = route.protocols.some(isGrpc)
  const plugins = pluginsFor(isForCalls ? 'grpc' : 'http')
  const secure = pluginsFor(isForCalls ? 'grpcs' : 'https')
  const chains = plugins.chains(route.id, service?.id)
  const secureChains = secure === plugins ? chains : secure.chains(route.id, service?.id)
  const hasPaths = route.paths !== null && route.paths.length > 0
  const target: RouteTarget = {
    route,
    service,
    destination,
    host: service === undefined ? '' : hostHeader(service),
    path: { base: service?.path ?? '/', strip: route.strip_path && hasPaths, handling: route.path_handling },
    isForCalls,
    isForPlain: route.protocols.includes('http'),
    chains,
    secureChains,
    alternatives: NO_ALTERNATIVES,
  }
  if (service === undefined) return target
  const reach = (moved: ServiceEntity) => destinationOf(moved, config, options)
  return { ...target, alternatives: alternativesTo(target, service, reach) }
}

const NO_ALTERNATIVES: RouteTarget['alternatives'] = new Map()

/** Compiled with the rest, so that the connections to them outlive a change of the configuration, too. */
function alternativesTo(
  target: RouteTarget,
  service: ServiceEntity,
  reach: (moved: ServiceEntity) => RouteTarget['destination'],
): RouteTarget['alternatives'] {
  const slots = new Set([...target.chains.base.slots, ...target.secureChains.base.slots])
  const alternatives = [...slots].flatMap((plugin): [Place, RouteTarget][] => {
    const place = plugin?.alternative
    if (place === undefined) return []
    const moved = { ...service, host: place.host ?? service.host, port: place.port ?? service.port }
    return [[place, { ...target, destination: reach(moved), host: hostHeader(moved) }]]
  })
  return alternatives.length === 0 ? NO_ALTERNATIVES : new Map(alternatives)
}

/** An upstream of the name that a service has as its host comes before whatever else has that name. */
function destinationOf(
  service: ServiceEntity,
  config: GatewayConfig,
  { balancers, resolve }: CompileOptions,
): RouteTarget['destination'] {
  const balancer = balancers.named(service.host)
  const tls = upstreamTls(config, service, balancer?.upstream)
  if (balancer !== undefined) return new BalancedDestination(service, balancer, tls)
  const upstream = resolve(service)
  if (upstream?.kind === 'local') return upstream
  const origin = upstream?.origin ?? originOf(service)
  return origin === undefined ? undefined : remoteDestination(service, origin, { tls })
}
