import type { IncomingHttpHeaders } from 'node:http'
import type { z } from 'zod'
import type { Caches } from '../cache/index.ts'
import type {
  Context,
  Endpoint,
  EndpointSpec,
  Placement,
  RouteDeclaration,
  SagaDeclaration,
  Scale,
  ServiceDeclaration,
} from '../core/index.ts'
import type { Cluster } from '../data/index.ts'
import type { LoadReader } from './caching/load-reader.ts'
import type { Caller } from './caller.ts'
import type { ProblemReply, RepliesOf } from './reply.ts'

/** A request as its handler sees it: parsed by the endpoint's schemas, with all that it needs to answer. */
export type RouteCall<Spec extends EndpointSpec = EndpointSpec> = {
  readonly params: ParsedPart<Spec, 'params'>
  readonly query: ParsedPart<Spec, 'query'>
  readonly body: ParsedPart<Spec, 'body'>
  readonly headers: IncomingHttpHeaders
  /** Who the gateway authenticated, if the route asks for a key. */
  readonly consumer: string | undefined
  readonly context: Context
  readonly data: Cluster
  /** Typed calls to other services, wherever they run. */
  readonly services: Caller
  /** What may be served without asking the database: `caches(productDetails).getOrLoad(…)`. */
  readonly caches: Caches<LoadReader>
}

/** What the schema of one part of the request makes of it; undefined when the endpoint declares none. */
export type ParsedPart<
  Spec extends EndpointSpec,
  Part extends 'params' | 'query' | 'body',
> = Spec[Part] extends z.ZodType ? z.output<Spec[Part]> : undefined

export type Handler<Spec extends EndpointSpec> = (call: RouteCall<Spec>) => Promise<RepliesOf<Spec> | ProblemReply>

/** What a seed gets. */
export type SeedInput = { readonly data: Cluster; readonly services: Caller }

export type ServiceDefinition = {
  /** A line for people. */
  readonly summary?: string
  /** Where the tables live. Default `sharded`. */
  readonly placement?: Placement
  /** Folder of `0001_name.sql` files. */
  readonly migrations?: URL
  readonly routes?: readonly RouteDeclaration[]
  readonly consumers?: ServiceDeclaration['consumers']
  /** Pages for operators, on the console's port. */
  readonly consoleRoutes?: readonly RouteDeclaration[]
  /** The kinds of events that this service writes. */
  readonly emits?: ServiceDeclaration['emits']
  /** Processes over several services that this one conducts: `saga('order', { … })`. */
  readonly sagas?: readonly SagaDeclaration[]
  /** How much of a cluster it gets, where manifests are made. */
  readonly scale?: Scale
  /** Data that a first start needs. Runs at every start, so it must be idempotent. */
  readonly seed?: (input: SeedInput) => Promise<void>
}

/** Declares a service: `service('order-service', { routes: [handle(placeOrder, …)], consumers: [on(…)] })`. */
export function service(name: string, definition: ServiceDefinition): ServiceDeclaration {
  const { sagas = [], consumers = [], emits = [] } = definition
  return {
    placement: 'sharded',
    routes: [],
    consoleRoutes: [],
    ...definition,
    consumers: [...consumers, ...sagas.flatMap((saga) => saga.consumers)],
    emits: [...emits, ...sagas.flatMap((saga) => saga.emits)],
    name,
  }
}

/**
 * Gives an endpoint its handler. Errors it throws become problem details; expected refusals are replies of their own.
 */
export function handle<const Spec extends EndpointSpec>(
  endpoint: Endpoint<Spec>,
  handler: Handler<Spec>,
): RouteDeclaration {
  return { endpoint, handler }
}
