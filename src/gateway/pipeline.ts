import { type Clock, messageOf, type Random } from '../core/index.ts'
import type { GatewayConfig, PluginEntity } from './config/entities.ts'
import type { Exchange } from './exchange.ts'
import type { Identities } from './identities.ts'
import type { PluginStates } from './plugin-states.ts'
import type { PluginDefinition, PluginInstance } from './plugins/index.ts'

/**
 * Which plugins run for a request, and in which order.
 *
 * Of each kind of plugin at most one configured instance runs: the one with the most specific scope replaces the
 * others. Every kind has a slot, in order of priority. A chain holds one instance per slot and is resolved ahead of
 * time for each route; a consumer that has plugins of its own gets chains of its own when it is first seen. A plugin
 * that identifies the consumer switches the chain in mid-run, and the slots after it are those of the new chain.
 */
export type PluginChain = {
  readonly slots: readonly (PluginInstance | undefined)[]
  /** What each slot's instance was made of. */
  readonly entities: readonly (PluginEntity | undefined)[]
  /** Those that decorate the response. */
  readonly decorators: readonly PluginInstance[]
  /** Those that change the response, or look at it on its way: the service's side first. */
  readonly editors: readonly PluginInstance[]
  /** Those that look at a request when it is over. */
  readonly loggers: readonly PluginInstance[]
  /** Whether one of them tells of attempts at targets. */
  readonly tellsAttempts: boolean
}

/** The chains of one route. */
export type PluginChains = {
  /** For a request whose consumer is not known, or has no plugins of its own. */
  readonly base: PluginChain
  of(consumerId: string): PluginChain
}

export type PluginSet = {
  chains(routeId: string, serviceId: string | undefined): PluginChains
  /** Every enabled plugin for the protocol, by its id. */
  readonly instances: ReadonlyMap<string, PluginInstance>
  /** What cannot work, for people; requests it applies to are answered with 500. */
  readonly problems: readonly string[]
}

type Scope = { readonly route: string; readonly service: string | undefined; readonly consumer: string | undefined }

export type PluginEnvironment = {
  readonly definitions: readonly PluginDefinition[]
  readonly clock: Clock
  readonly random: Random
  readonly identities: () => Identities
  readonly states: PluginStates
}

/** What a request for a plugin came by. */
export const HTTP_PROTOCOLS = ['http', 'https', 'grpc', 'grpcs'] as const
export type HttpProtocol = (typeof HTTP_PROTOCOLS)[number]

/** Makes every enabled plugin for `protocol`, and forgets the state of those that are gone. */
export function compilePlugins(
  config: GatewayConfig,
  environment: PluginEnvironment,
  protocol: HttpProtocol = 'http',
): PluginSet {
  const problems: string[] = []
  const entities = config.plugins.filter((entity) => entity.enabled && entity.protocols.includes(protocol))
  const instances = new Map(entities.map((entity) => [entity, instanceOf(entity, environment, problems)]))
  const kinds = kindsByPriority(entities, environment.definitions)
  const withOwnPlugins = new Set(entities.map((entity) => entity.consumer?.id))

  const resolve = (scope: Scope): PluginChain => {
    const entities = kinds.map((kind) => mostSpecific(kind, scope))
    const slots = entities.map((entity) => entity && instances.get(entity))
    const present = slots.filter((instance) => instance !== undefined)
    return {
      slots,
      entities,
      decorators: present.filter((instance) => instance.header !== undefined),
      editors: present.filter((instance) => instance.response !== undefined).reverse(),
      loggers: present.filter((instance) => instance.log !== undefined),
      tellsAttempts: present.some((instance) => instance.tellsAttempts === true),
    }
  }
  return {
    problems,
    instances: new Map([...instances].map(([{ id }, instance]) => [id, instance])),
    chains(route, service) {
      const base = resolve({ route, service, consumer: undefined })
      const own = new Map<string, PluginChain>()
      return {
        base,
        of(consumer) {
          if (!withOwnPlugins.has(consumer)) return base
          const chain = own.get(consumer) ?? resolve({ route, service, consumer })
          own.set(consumer, chain)
          return chain
        },
      }
    },
  }
}

/**
 * Runs the access phase, then `next`. Stops when a plugin answers, or when the client leaves while a plugin waits.
 * Nothing is asynchronous unless a plugin is.
 */
export function runAccess(
  exchange: Exchange,
  next: (exchange: Exchange) => undefined | Promise<void>,
  from = 0,
): undefined | Promise<void> {
  for (let slot = from; slot < (exchange.chain?.slots.length ?? 0); slot++) {
    const pending = exchange.chain?.slots[slot]?.access?.(exchange)
    if (pending !== undefined) {
      return pending.then(() => {
        if (exchange.exited) return answered(exchange, slot)
        return exchange.closed ? undefined : runAccess(exchange, next, slot + 1)
      })
    }
    if (exchange.exited) return answered(exchange, slot)
  }
  return next(exchange)
}

/** Slots are the same in every chain of a route, so it does not matter which one is in force by now. */
function answered(exchange: Exchange, slot: number): undefined {
  exchange.answeredBy = exchange.chain?.entities[slot]
}

/**
 * The plugins of each kind, kinds in order of priority. Kinds that are not installed come first: they refuse
 * everything.
 */
function kindsByPriority(entities: readonly PluginEntity[], definitions: readonly PluginDefinition[]) {
  const priorities = new Map(definitions.map((definition) => [definition.name, definition.priority]))
  const priorityOf = (name: string) => priorities.get(name) ?? Number.MAX_SAFE_INTEGER
  return Object.entries(Object.groupBy(entities, (entity) => entity.name))
    .toSorted(([left], [right]) => priorityOf(right) - priorityOf(left) || (left < right ? -1 : 1))
    .map(([, kind]) => kind ?? [])
}

function instanceOf(entity: PluginEntity, environment: PluginEnvironment, problems: string[]): PluginInstance {
  try {
    const definition = environment.definitions.find((candidate) => candidate.name === entity.name)
    if (definition === undefined) throw new Error('it is not installed')
    return definition.create(entity.config, {
      entity,
      clock: environment.clock,
      random: environment.random,
      identities: environment.identities,
      keep: (create) => environment.states.ofPlugin(entity.id, create),
      share: (name, create) => environment.states.shared(name, create),
    })
  } catch (error) {
    const problem = `plugin ${entity.name} (${entity.id}) cannot run: ${messageOf(error)}`
    problems.push(problem)
    return refusing(problem)
  }
}

/** Stands in for a plugin that cannot run. Closed, not open: it may have been what protects the route. */
function refusing(problem: string): PluginInstance {
  return {
    access() {
      throw new Error(problem)
    },
  }
}

/**
 * Route, service and consumer count as one bit each, compared as Kong does: all three, route + consumer, service +
 * consumer, route + service, consumer, route, service, none.
 */
const SPECIFICITY = new Map([
  ['route service consumer', 7],
  ['route consumer', 6],
  ['service consumer', 5],
  ['route service', 4],
  ['consumer', 3],
  ['route', 2],
  ['service', 1],
  ['', 0],
])

const SCOPES = ['route', 'service', 'consumer'] as const

function mostSpecific(kind: readonly PluginEntity[], scope: Scope): PluginEntity | undefined {
  let best: PluginEntity | undefined
  for (const entity of kind) {
    const applies = SCOPES.every((name) => entity[name] === null || entity[name].id === scope[name])
    if (applies && (best === undefined || specificityOf(entity) > specificityOf(best))) best = entity
  }
  return best
}

function specificityOf(entity: PluginEntity): number {
  return SPECIFICITY.get(SCOPES.filter((name) => entity[name] !== null).join(' ')) ?? 0
}
