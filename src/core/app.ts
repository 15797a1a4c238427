import type { Endpoint, Method } from './endpoint.ts'
import { type AnyEventType, readableVersions } from './event.ts'
import type { JourneyDeclaration } from './journey.ts'
import { jsonLossOf } from './json-loss.ts'
import { pathShape, pathsOverlap } from './path-pattern.ts'
import { type Scale, scaleProblems } from './scale.ts'
import { redirectsTo, type SiteDeclaration, siteProblems } from './site.ts'

/**
 * The application as one plain value. The runner executes it, the gateway routes by it, the renderer turns it into
 * manifests, the console draws it. Handlers are opaque here: `service/` and `events/` give them their types.
 */
export type App = {
  readonly name: string
  readonly services: readonly ServiceDeclaration[]
  readonly sites: readonly SiteDeclaration[]
  readonly gateway: GatewayDeclaration
  /** Whose durations telemetry shows. */
  readonly journeys: readonly JourneyDeclaration[]
}

/** Where a service's tables live: on every shard by the key of the row, or once, on the home shard (shard 0). */
export type Placement = 'sharded' | 'home'

export type ServiceDeclaration = {
  readonly name: string
  /** A line for people. */
  readonly summary?: string
  readonly placement: Placement
  /** Folder of `0001_name.sql` files, applied in order to every database of the placement. */
  readonly migrations?: URL
  readonly routes: readonly RouteDeclaration[]
  readonly consumers: readonly ConsumerDeclaration[]
  /** Read-only pages for operators, served on the console's port. */
  readonly consoleRoutes: readonly RouteDeclaration[]
  /** The kinds of events that this service writes. */
  readonly emits: readonly AnyEventType[]
  /** Processes over several services that this one conducts; their consumers and events are among its own. */
  readonly sagas?: readonly SagaDeclaration[]
  /** How much of a cluster it gets. */
  readonly scale?: Scale
  /** Called after migrations, at every start: for data that a first start needs. Idempotent. Typed in service/. */
  readonly seed?: (input: never) => Promise<void>
}

/** A saga as the application's value holds it; what it does is for events/. */
export type SagaDeclaration = {
  readonly name: string
  readonly consumers: readonly ConsumerDeclaration[]
  readonly emits: readonly AnyEventType[]
}

export type RouteDeclaration = {
  readonly endpoint: Endpoint
  readonly handler: (call: never) => Promise<unknown>
}

/** Where a consumer's effects land: the shard of the event's key, the home shard, or every shard (reference data). */
export type ConsumerTarget = 'key' | 'home' | 'every-shard'

export type ConsumerDeclaration = {
  readonly event: AnyEventType
  readonly target: ConsumerTarget
  readonly batch: boolean
  /** Effects inside the transaction. */
  readonly apply: (deliveries: never, context: never) => Promise<void>
  /** Where its group begins when it is new: with all that the log keeps, the default, or with what is yet to come. */
  readonly from?: 'earliest' | 'latest'
  /**
   * Whether it runs for events that it has had before, when an operator replays its group. Default: `skip` with a
   * `call`, whose effects are outside of the database, else `run`.
   */
  readonly replay?: 'run' | 'skip'
  /** Calls under way at once for one shard, for a provider that takes no more. Default: 1,000. */
  readonly callsMax?: number
  /** An external effect before the transaction, once per event, with the event's id as idempotency key. */
  readonly call?: (event: never, context: never) => Promise<unknown>
}

export type GatewayDeclaration = {
  /** Consumers that exist from the first start, each with a random key. */
  readonly consumers: readonly string[]
  /** Plugins of its own that may be configured, beside those that are installed. Default: none. */
  readonly plugins?: readonly GatewayPluginDeclaration[]
  /** How much of a cluster the gateway gets. */
  readonly scale?: Scale
  /** A request that works on a fresh start, for people who try the application: the start table prints it as a curl. */
  readonly example?: { readonly method: Method; readonly path: string; readonly body?: unknown }
}

/** A plugin for the gateway. Opaque here: `gateway/` makes it, and gives it its type. */
export type GatewayPluginDeclaration = { readonly name: string }

export type AppDefinition = {
  readonly services: readonly ServiceDeclaration[]
  readonly sites?: readonly SiteDeclaration[]
  readonly gateway?: Partial<GatewayDeclaration>
  readonly journeys?: readonly JourneyDeclaration[]
}

/** What `--only` and a cluster call the parts of the platform itself. */
const PLATFORM_PARTS: readonly string[] = ['gateway', 'console']
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/

/** Declares the application. Throws on names or routes that clash, all problems at once. */
export function app(name: string, definition: AppDefinition): App {
  const { services, journeys = [], sites = [] } = definition
  const value: App = { name, services, journeys, sites, gateway: { consumers: [], ...definition.gateway } }
  const problems = problemsOf(value)
  if (problems.length > 0)
    throw new Error(`app "${name}" has ${problems.length} problem(s):\n- ${problems.join('\n- ')}`)
  return value
}

/** What is written and this consumer would park: versions that no upcaster leads to. */
function unreadableOf(service: string, type: AnyEventType, emitted: readonly AnyEventType[]): string[] {
  const readable = new Set(readableVersions(type).map(({ version }) => version))
  return emitted
    .filter(({ name, version }) => name === type.name && !readable.has(version))
    .map(({ name, version }) => `${service} reads ${name} v${[...readable].join(', v')}, but v${version} is emitted`)
}

function problemsOf(value: App): string[] {
  const problems: string[] = []
  const seen = new Set<string>()
  const claim = (what: string) => {
    if (seen.has(what)) problems.push(`${what} is declared twice`)
    seen.add(what)
  }
  const parts = [...value.services, ...value.sites]
  for (const name of [value.name, ...parts.map((part) => part.name), ...value.gateway.consumers]) {
    if (!NAME.test(name)) problems.push(`name "${name}" must be kebab-case, like "order-service"`)
  }
  const types = value.services.flatMap((service) => service.emits)
  const emitted = new Set(types.map((type) => type.name))
  problems.push(...scaleProblems('the gateway', value.gateway.scale))
  for (const service of value.services) {
    problems.push(...scaleProblems(service.name, service.scale))
    claim(`service ${service.name}`)
    if (PLATFORM_PARTS.includes(service.name)) {
      problems.push(`service ${service.name} has the name of the platform's own ${service.name}: choose another`)
    }
    for (const { endpoint } of [...service.routes, ...service.consoleRoutes]) {
      if (endpoint.service !== service.name) {
        problems.push(`route ${endpoint.method} ${endpoint.path} belongs to ${endpoint.service}, not ${service.name}`)
      }
    }
    for (const one of service.sagas ?? []) claim(`saga ${one.name}`)
    for (const type of service.emits) {
      claim(`event ${type.name} v${type.version} of its writer`)
      problems.push(...jsonLossOf(type))
    }
    for (const consumer of service.consumers) {
      claim(`consumer ${service.name} of ${consumer.event.name}`)
      if (!emitted.has(consumer.event.name))
        problems.push(`${service.name} consumes ${consumer.event.name}, which nobody emits`)
      problems.push(...unreadableOf(service.name, consumer.event, types))
    }
  }
  for (const { name, endsWith } of value.journeys) {
    claim(`journey ${name}`)
    if (!emitted.has(endsWith.name)) problems.push(`journey ${name} ends with ${endsWith.name}, which nobody emits`)
  }
  for (const one of value.sites) {
    claim(`service ${one.name}`)
  }
  return [...problems, ...doubledRoutes(value), ...shownRoutes(value), ...siteProblems(value)]
}

/** Requests that two declarations would answer, whatever their paths call the parameters. */
function doubledRoutes({ services, sites }: App): string[] {
  const routes = [
    ...services.flatMap(({ name, routes, consoleRoutes }) =>
      [...routes, ...consoleRoutes].map(({ endpoint: { method, path } }) => ({ method, path, owner: name })),
    ),
    ...sites.flatMap((one) =>
      [one.path, ...redirectsTo(one)].map((path) => ({ method: 'GET', path, owner: `site ${one.name}` })),
    ),
  ]
  const first = new Map<string, string>()
  return routes.flatMap(({ method, path, owner }) => {
    const key = `${method} ${path.replace(/:[^/]+/g, ':')}`
    const route = `${method} ${path} of ${owner}`
    const other = first.get(key)
    if (other === undefined) first.set(key, route)
    else return [`route ${route} is ${other === route ? 'declared twice' : other}`]
    return []
  })
}

/** Routes that are kept off the gateway, and reached all the same: by a route beside them that matches as well. */
function shownRoutes({ services }: App): string[] {
  return services.flatMap(({ name, routes }) => {
    const endpoints = routes.map(({ endpoint }) => endpoint)
    const exposed = endpoints.filter(({ spec }) => spec.exposed !== false)
    return endpoints.flatMap(({ method, path, spec }) => {
      const by = exposed.find((other) => other.method === method && isTakenBefore(path, other.path))
      if (spec.exposed !== false || by === undefined) return []
      return [`route ${method} ${path} of ${name} is kept off the gateway, but ${by.path} brings requests to it`]
    })
  })
}

function isTakenBefore(path: string, other: string): boolean {
  return pathsOverlap(path, other) && pathShape(path) > pathShape(other)
}
