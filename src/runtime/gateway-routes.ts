import { createHash } from 'node:crypto'
import {
  type Access,
  type App,
  type Endpoint,
  pathShape,
  pathsOverlap,
  type ServiceDeclaration,
} from '../core/index.ts'
import type { GatewaySeed } from '../gateway/index.ts'
import { siteRoutesOf } from './site-routes.ts'

/**
 * The gateway's configuration that the application implies: a Kong service for each service, a route for each endpoint
 * that is exposed, key-auth where an endpoint asks for a key. The host of a service is its name: in this process it is
 * called directly, in a fleet it resolves by `<NAME>_URL` or as a host name. Sites are in it too.
 */
export function gatewaySeedOf(app: App): GatewaySeed {
  const exposed = app.services.filter((service) => routesOf(service).length > 0)
  const sites = siteRoutesOf(app.sites)
  const services = exposed.map(({ name }) => ({ name, host: name, port: 8080, protocol: 'http' }))
  const routes = exposed.flatMap((service) => namedRoutesOf(service))
  const priorities = prioritiesOf(routes.map(({ endpoint }) => endpoint.path))
  return {
    services: [...services, ...sites.services],
    routes: [...routes.map((route) => entityOf(route, priorities)), ...sites.routes],
    plugins: routes
      .filter(({ endpoint }) => needsKey(endpoint.spec.access))
      .map(({ name }) => ({ name: 'key-auth', route: name })),
    consumers: app.gateway.consumers.map((username) => ({ username })),
  }
}

/** Endpoints of a service that clients may call. */
export function routesOf(service: ServiceDeclaration): readonly Endpoint[] {
  return service.routes.map((route) => route.endpoint).filter((endpoint) => endpoint.spec.exposed !== false)
}

type NamedRoute = { readonly endpoint: Endpoint; readonly name: string }

/**
 * {@link routesOf}, each with its name at the gateway: `GET /orders/:orderId` of order-service is
 * `order-service.get-orders-orderid`. What is called alike, as `/a/b` and `/a-b`, has a hash of its path behind it.
 */
export function namedRoutesOf(service: ServiceDeclaration): readonly NamedRoute[] {
  const byName = Map.groupBy(routesOf(service), (endpoint) => routeName(service.name, endpoint))
  return [...byName].flatMap(([name, endpoints]) =>
    endpoints.map((endpoint) => ({
      endpoint,
      name: endpoints.length === 1 ? name : `${name}-${hashOf(endpoint.path)}`,
    })),
  )
}

function entityOf({ endpoint, name }: NamedRoute, priorities: ReadonlyMap<string, number>) {
  const priority = priorities.get(endpoint.path) ?? 0
  return {
    name,
    service: endpoint.service,
    methods: [endpoint.method],
    paths: [pathPattern(endpoint.path)],
    ...(priority === 0 ? {} : { regex_priority: priority }),
    strip_path: false,
  }
}

/**
 * The gateway must take the route that the service will: of two that match a path, the one that is literal where they
 * first differ, `/users/me` rather than `/users/:id`. By itself it takes the longer expression, and with it perhaps the
 * plugins of the wrong one. Each path is one above all that it is more specific than; 0, the default, for most.
 */
function prioritiesOf(paths: readonly string[]): ReadonlyMap<string, number> {
  const patterns = [...new Set(paths)].map((path) => ({ path, shape: pathShape(path) }))
  patterns.sort((one, other) => (one.shape < other.shape ? -1 : 1))
  const priorities = new Map<string, number>()
  for (const { path, shape } of patterns) {
    const below = patterns.filter((other) => other.shape < shape && pathsOverlap(path, other.path))
    priorities.set(path, Math.max(-1, ...below.map((other) => priorities.get(other.path) ?? 0)) + 1)
  }
  return priorities
}

/** `/orders/:orderId` → `~/orders/[^/]+$`: exact, since a prefix would also catch what the service does not know. */
function pathPattern(path: string): string {
  return `~${path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:[^/]+/g, '[^/]+')}$`
}

function routeName(service: string, endpoint: Endpoint): string {
  const words = endpoint.path.replace(/[^a-zA-Z0-9]+/g, '-').replace(/^-|-$/g, '')
  return `${service}.${endpoint.method.toLowerCase()}-${words.toLowerCase()}`
}

function hashOf(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 8)
}

function needsKey(access: Access | undefined): boolean {
  return access !== undefined && access !== 'public'
}
