import type { Balancers } from './balancer/balancers.ts'
import { BalancedDestination } from './balancer/destination.ts'
import { type Certificates, compileCertificates } from './certificates.ts'
import type { GatewayConfig, RouteEntity, ServiceEntity } from './config/entities.ts'
import type { RouteTarget } from './exchange.ts'
import { type Identities, indexIdentities } from './identities.ts'
import {
  compilePlugins,
  HTTP_PROTOCOLS,
  type HttpProtocol,
  type PluginEnvironment,
  type PluginSet,
} from './pipeline.ts'
import { isGrpc, type RemoteDestination, remoteDestination } from './remote-destination.ts'
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
  // Once all that asks has asked: what only plugins for one protocol use is kept, too.
  options.plugins.states.retain(config.plugins)
  const services = new Map(config.services.map((service) => [service.id, service]))
  const destinations = new Map(config.services.map((service) => [service.id, destinationOf(service, config, options)]))
  const entries = config.routes
    .filter((route) => isServed(route, services))
    .map((route): RouterEntry<RouteTarget> => {
      const service = route.service === null ? undefined : services.get(route.service.id)
      const destination = service && destinations.get(service.id)
      return { route, target: targetOf({ route, service, destination, pluginsFor }) }
    })
  const router = compileRouter(entries)
  const certificates = compileCertificates(config)
  return {
    router,
    identities: indexIdentities(config),
    remotes: [...destinations.values()].filter((destination) => destination?.kind === 'remote'),
    balanced: [...destinations.values()].filter((destination) => destination?.kind === 'balanced'),
    certificates,
    problems: [
      ...new Set(HTTP_PROTOCOLS.flatMap((protocol) => pluginsFor(protocol).problems)),
      ...router.problems,
      ...certificates.problems,
    ],
  }
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

function targetOf({ route, service, destination, pluginsFor }: TargetParts): RouteTarget {
  const isForCalls = route.protocols.some(isGrpc)
  const plugins = pluginsFor(isForCalls ? 'grpc' : 'http')
  const secure = pluginsFor(isForCalls ? 'grpcs' : 'https')
  const chains = plugins.chains(route.id, service?.id)
  const hasPaths = route.paths !== null && route.paths.length > 0
  return {
    route,
    service,
    destination,
    host: service === undefined ? '' : hostHeader(service),
    path: { base: service?.path ?? '/', strip: route.strip_path && hasPaths, handling: route.path_handling },
    chains,
    secureChains: secure === plugins ? chains : secure.chains(route.id, service?.id),
  }
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
  return origin === undefined ? undefined : remoteDestination(service, origin, tls)
}
