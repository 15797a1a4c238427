import { hashOf } from '../balancer/hash.ts'
import { headerName as headerNameField, host, path, port } from '../config/field-types.ts'
import { httpProtocols, noConsumer, type PluginSchema } from '../config/schema.ts'
import type { Exchange, Place, RouteTarget } from '../exchange.ts'
import type { PluginDefinition, PluginScope } from './plugin.ts'

/**
 * Sends a part of the requests to another place: a new version of the service that is to prove itself. The part is a
 * fixed percentage, or grows from nothing to all from `start` on. Who is in it stays in it while it grows, on every
 * gateway, since it is decided by a hash of who asks. Settings as in Kong's paid edition, from its documentation.
 */
type Config = {
  readonly percentage: number | null
  /** Seconds since 1970; when the plugin was made if null. */
  readonly start: number | null
  /** Seconds. */
  readonly duration: number
  readonly steps: number
  readonly hash: 'consumer' | 'ip' | 'header' | 'none' | 'allow' | 'deny'
  readonly hash_header: string | null
  readonly groups: readonly string[] | null
  readonly canary_by_header_name: string | null
  readonly upstream_host: string | null
  readonly upstream_port: number | null
  readonly upstream_uri: string | null
  readonly upstream_fallback: boolean
}

const schema: PluginSchema = {
  name: 'canary',
  fields: [
    { consumer: noConsumer },
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          {
            percentage: {
              type: 'number',
              between: [0, 100],
              description: 'Percentage of requests that go to the canary; it grows from 0 to 100 when not given.',
            },
          },
          {
            start: {
              type: 'number',
              gt: 0,
              description: 'When it begins to grow, in seconds since 1970; when the plugin was made if not given.',
            },
          },
          { duration: { type: 'number', default: 3_600, gt: 0, description: 'Seconds in which it grows to all.' } },
          {
            steps: {
              type: 'integer',
              default: 1_000,
              gt: 1,
              description: 'Into how many parts requests are divided: the canary gets whole ones.',
            },
          },
          {
            hash: {
              type: 'string',
              default: 'consumer',
              one_of: ['consumer', 'ip', 'header', 'none', 'allow', 'deny'],
              description:
                'What decides a part: who asks, so that it stays the same for them; none, in turn; or the groups of the consumer.',
            },
          },
          { hash_header: { ...headerNameField, description: 'The header that decides, with hash header.' } },
          {
            groups: {
              type: 'array',
              elements: { type: 'string' },
              description: 'Groups that go to the canary, with hash allow; that do not, with hash deny.',
            },
          },
          {
            canary_by_header_name: {
              ...headerNameField,
              description: 'A header by which clients choose: `always` or `never`.',
            },
          },
          { upstream_host: { ...host, description: 'Host of the canary, or the name of an upstream.' } },
          { upstream_port: { ...port, description: 'Port of the canary.' } },
          { upstream_uri: { ...path, description: 'Path at the canary, in place of that of the service.' } },
          {
            upstream_fallback: {
              type: 'boolean',
              required: true,
              default: false,
              description:
                'Whether requests stay where they were while upstream_host, an upstream, has no usable target.',
            },
          },
        ],
      },
    },
  ],
  entity_checks: [
    { at_least_one_of: ['config.upstream_host', 'config.upstream_port', 'config.upstream_uri'] },
    needs('config.hash', { eq: 'header' }, 'config.hash_header'),
    needs('config.hash', { one_of: ['allow', 'deny'] }, 'config.groups'),
    needs('config.upstream_fallback', { eq: true }, 'config.upstream_host'),
  ],
}

function needs(if_field: string, if_match: { eq?: unknown; one_of?: readonly string[] }, then_field: string) {
  return { conditional: { if_field, if_match, then_field, then_match: { required: true } } }
}

/** Requests that count by turns, and what they have gathered for the canary, in parts of a request. */
type Turns = { gathered: number }

export const canary: PluginDefinition = {
  name: 'canary',
  version: '3.9.1',
  priority: 20,
  schema,
  create(raw, scope) {
    const config = raw as Config
    const place: Place = { host: config.upstream_host ?? undefined, port: config.upstream_port ?? undefined }
    const turns = scope.keep((): Turns => ({ gathered: 0 }))
    return {
      alternative: place,
      access(exchange) {
        const target = exchange.target?.alternatives.get(place)
        if (target === undefined || !isChosen(exchange, target, { config, scope, turns })) return undefined
        exchange.target = target
        if (config.upstream_uri !== null) exchange.upstreamPath = config.upstream_uri
        return undefined
      },
    }
  },
}

type Choice = { readonly config: Config; readonly scope: PluginScope; readonly turns: Turns }

function isChosen(exchange: Exchange, target: RouteTarget, choice: Choice): boolean {
  const { config, scope, turns } = choice
  const wish = config.canary_by_header_name && exchange.headers[config.canary_by_header_name.toLowerCase()]
  if (wish === 'always') return true
  if (wish === 'never') return false
  if (config.upstream_fallback && !isUsable(target)) return false
  if (config.hash === 'allow' || config.hash === 'deny')
    return isInGroups(exchange, config, scope) === (config.hash === 'allow')
  const parts = partsOf(config, scope)
  const decisive = decisiveOf(exchange, config)
  return decisive === undefined ? isItsTurn(turns, parts, config.steps) : hashOf(decisive) % config.steps < parts
}

function isUsable({ destination }: RouteTarget): boolean {
  return destination?.kind !== 'balanced' || destination.balancer.isUsable(performance.now())
}

function isInGroups({ consumer }: Exchange, { groups }: Config, scope: PluginScope): boolean {
  if (consumer === undefined) return false
  return scope
    .identities()
    .groups(consumer.id)
    .some((group) => groups?.includes(group))
}

/** How many of the parts go to the canary now. */
function partsOf({ percentage, start, duration, steps }: Config, { clock, entity }: PluginScope): number {
  if (percentage !== null) return Math.round((percentage / 100) * steps)
  const elapsedSeconds = clock.now() / 1_000 - (start ?? entity.created_at)
  return Math.floor(Math.min(1, Math.max(0, elapsedSeconds / duration)) * steps)
}

/** What of a request decides, the next best where that is not there; undefined when it goes by turns. */
function decisiveOf({ headers, consumer, clientIp }: Exchange, { hash, hash_header }: Config): string | undefined {
  if (hash === 'none') return undefined
  if (hash === 'ip') return clientIp
  const header = hash === 'header' ? headers[hash_header?.toLowerCase() ?? ''] : undefined
  return header === undefined ? (consumer?.id ?? clientIp) : String(header)
}

/** Spreads the canary's requests evenly: with a quarter, every fourth. */
function isItsTurn(turns: Turns, parts: number, steps: number): boolean {
  turns.gathered += parts
  if (turns.gathered < steps) return false
  turns.gathered -= steps
  return true
}
