import { headerName, path } from '../config/field-types.ts'
import { type RedisSettings, redisFields, redisShorthands } from '../config/redis-fields.ts'
import { type EntityCheck, type Field, httpProtocols, type PluginSchema } from '../config/schema.ts'
import { WINDOW_TYPES, type WindowType } from '../rate-limit/limiter.ts'
import { PERIODS, type Period } from '../rate-limit/windows.ts'

/** The configuration of `rate-limiting`, as Kong 3.9 describes it (`kong/plugins/rate-limiting/schema.lua`). */
export type RateLimitingConfig = { readonly [period in Period]: number | null } & {
  readonly limit_by: 'consumer' | 'credential' | 'ip' | 'service' | 'header' | 'path'
  readonly header_name: string | null
  readonly path: string | null
  readonly policy: 'local' | 'redis'
  readonly window_type: WindowType
  readonly fault_tolerant: boolean
  readonly redis: RedisSettings
  readonly hide_client_headers: boolean
  readonly error_code: number
  readonly error_message: string
}

const fields: readonly Readonly<Record<string, Field>>[] = [
  ...PERIODS.map((period) => ({
    [period]: {
      type: 'number' as const,
      gt: 0,
      description: `The number of HTTP requests that can be made per ${period}.`,
    },
  })),
  {
    limit_by: {
      type: 'string',
      default: 'consumer',
      one_of: ['consumer', 'credential', 'ip', 'service', 'header', 'path'],
      description: 'The entity that is used when aggregating the limits.',
    },
  },
  { header_name: headerName },
  { path },
  {
    policy: {
      type: 'string',
      default: 'local',
      len_min: 0,
      one_of: ['local', 'cluster', 'redis'],
      description: 'Where counters are kept.',
      custom_validator: (value: string) =>
        value === 'cluster' ? "policy 'cluster' is not available: 'redis' holds one limit over many nodes" : undefined,
    },
  },
  {
    fault_tolerant: {
      type: 'boolean',
      required: true,
      default: true,
      description: 'Whether requests pass when the store of the counters cannot be reached.',
    },
  },
  { redis: redisFields },
  {
    hide_client_headers: {
      type: 'boolean',
      required: true,
      default: false,
      description: 'Whether to leave out the headers that say how much is left.',
    },
  },
  { error_code: { type: 'number', default: 429, gt: 0, description: 'The status of a refused request.' } },
  { error_message: { type: 'string', default: 'API rate limit exceeded', description: 'The message of its body.' } },
  {
    sync_rate: {
      type: 'number',
      required: true,
      default: -1,
      description: 'How often to sync counters, in seconds: -1 is at every request.',
      custom_validator: (value: number) =>
        value === -1 ? undefined : 'only -1 is available, which asks Redis at every request',
    },
  },
  {
    window_type: {
      type: 'string',
      required: true,
      default: 'fixed',
      one_of: WINDOW_TYPES,
      description: 'How requests are counted: by fixed windows as in Kong, by a sliding one, or by a token bucket.',
    },
  },
]

const requiredWhen = (if_field: string, value: string, then_field: string): EntityCheck => ({
  conditional: { if_field, if_match: { eq: value }, then_field, then_match: { required: true } },
})

export const rateLimitingSchema: PluginSchema = {
  name: 'rate-limiting',
  fields: [
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields,
        shorthand_fields: redisShorthands,
        custom_validator: limitsError,
      },
    },
  ],
  entity_checks: [
    { at_least_one_of: PERIODS.map((period) => `config.${period}`) },
    requiredWhen('config.policy', 'redis', 'config.redis.host'),
    requiredWhen('config.policy', 'redis', 'config.redis.port'),
    requiredWhen('config.policy', 'redis', 'config.redis.timeout'),
    requiredWhen('config.limit_by', 'header', 'config.header_name'),
    requiredWhen('config.limit_by', 'path', 'config.path'),
  ],
}

function limitsError(config: Readonly<Record<string, unknown>>): string | undefined {
  const counted = config.window_type !== 'fixed'
  const tooSmall = PERIODS.find((period) => counted && typeof config[period] === 'number' && config[period] < 1)
  if (tooSmall === undefined) return periodsError(config)
  return `The limit for ${tooSmall} must be at least 1 unless window_type is 'fixed'`
}

/** A longer window must allow at least as much as a shorter one. */
function periodsError(config: Readonly<Record<string, unknown>>): string | undefined {
  const given = PERIODS.flatMap((period) => {
    const limit = config[period]
    return typeof limit === 'number' ? [{ period, limit }] : []
  })
  for (const [index, lower] of given.entries()) {
    const upper = given.slice(index + 1).find((candidate) => candidate.limit < lower.limit)
    if (upper === undefined) continue
    return `The limit for ${describe(upper)} cannot be lower than the limit for ${describe(lower)}`
  }
  return undefined
}

function describe({ period, limit }: { readonly period: Period; readonly limit: number }): string {
  return `${period}(${limit.toFixed(1)})`
}
