import type { Access, App, Endpoint, ServiceDeclaration } from '../core/index.ts'
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
  const routes = exposed.flatMap((service) => routesOf(service).map((endpoint) => routeOf(service.name, endpoint)))
  return {
    services: [...services, ...sites.services],
    routes: [...routes, ...sites.routes],
    plugins: exposed.flatMap((service) =>
      routesOf(service)
        .filter((endpoint) => needsKey(endpoint.spec.access))
        .map((endpoint) => ({ name: 'key-auth', route: routeName(service.name, endpoint) })),
    ),
    consumers: app.gateway.consumers.map((username) => ({ username })),
  }
}

/** Endpoints of a service that clients may call. */
export function routesOf(service: ServiceDeclaration): readonly Endpoint[] {
  return service.routes.map((route) => route.endpoint).filter((endpoint) => endpoint.spec.exposed !== false)
}

function routeOf(service: string, endpoint: Endpoint) {
  return {
    name: routeName(service, endpoint),
    service,
    methods: [endpoint.method],
    paths: [pathPattern(endpoint.path)],
    strip_path: false,
  }
}

/** `/orders/:orderId` → `~/orders/[^/]+$`: exact, since a prefix would also catch what the service does not know. */
function pathPattern(path: string): string {
  return `~${path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:[^/]+/g, '[^/]+')}$`
}

/** `GET /orders/:orderId` of order-service → `order-service.get-orders-orderid`. */
export function routeName(service: string, endpoint: Endpoint): string {
  const words = endpoint.path.replace(/[^a-zA-Z0-9]+/g, '-').replace(/^-|-$/g, '')
  return `${service}.${endpoint.method.toLowerCase()}-${words.toLowerCase()}`
}

function needsKey(access: Access | undefined): boolean {
  return access !== undefined && access !== 'public'
}
