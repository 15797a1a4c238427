import type { Access, App, RouteDeclaration, ServiceDeclaration } from '../core/index.ts'

/** What the application is, for drawing: plain data from its value, the same on every process. */
export type Topology = {
  readonly app: string
  readonly services: readonly TopologyService[]
  readonly events: readonly TopologyEvent[]
  readonly gateway: { readonly consumers: readonly string[] }
  readonly shards: readonly TopologyShard[]
  /** Pages of services for operators, which answer on the console's port. */
  readonly pages: readonly TopologyPage[]
}

export type TopologyService = {
  readonly name: string
  readonly summary: string | undefined
  readonly placement: 'sharded' | 'home'
  readonly routes: readonly TopologyRoute[]
  readonly emits: readonly string[]
  readonly consumes: readonly string[]
}

/** `exposed` routes answer through the gateway, the others only to services. */
export type TopologyRoute = {
  readonly method: string
  readonly path: string
  readonly summary: string | undefined
  readonly access: string
  readonly exposed: boolean
}

/** An event with who writes it and which consumer groups read it. */
export type TopologyEvent = {
  readonly topic: string
  readonly version: number
  readonly writer: string
  readonly groups: readonly string[]
}

export type TopologyShard = { readonly index: number; readonly label: string }

/** A page that needs no parameters: `GET path` answers JSON. */
export type TopologyPage = { readonly service: string; readonly path: string; readonly summary: string | undefined }

export function topologyOf(app: App, shards: readonly TopologyShard[]): Topology {
  return {
    app: app.name,
    services: app.services.map(serviceOf),
    events: app.services.flatMap((writer) => eventsOf(writer, app.services)),
    gateway: { consumers: app.gateway.consumers },
    shards: shards.map(({ index, label }) => ({ index, label })),
    pages: app.services.flatMap(pagesOf),
  }
}

function serviceOf(service: ServiceDeclaration): TopologyService {
  const { name, summary, placement, routes, emits, consumers } = service
  return {
    name,
    summary,
    placement,
    routes: routes.map(routeOf),
    emits: emits.map((type) => type.name),
    consumes: consumers.map((consumer) => consumer.event.name),
  }
}

function routeOf({ endpoint }: RouteDeclaration): TopologyRoute {
  const { method, path, spec } = endpoint
  return { method, path, summary: spec.summary, access: accessWord(spec.access), exposed: spec.exposed !== false }
}

function accessWord(access: Access | undefined): string {
  if (access === undefined || access === 'public') return 'public'
  return access === 'key' ? 'any key' : access.consumers.join(', ')
}

function eventsOf(writer: ServiceDeclaration, services: readonly ServiceDeclaration[]): readonly TopologyEvent[] {
  return writer.emits.map(({ name, version }) => {
    const groups = services.filter(({ consumers }) => consumers.some(({ event }) => event.name === name))
    return { topic: name, version, writer: writer.name, groups: groups.map((service) => service.name) }
  })
}

function pagesOf(service: ServiceDeclaration): readonly TopologyPage[] {
  return service.consoleRoutes
    .filter(({ endpoint }) => endpoint.method === 'GET' && !endpoint.path.includes(':'))
    .map(({ endpoint }) => ({ service: service.name, path: endpoint.path, summary: endpoint.spec.summary }))
}
