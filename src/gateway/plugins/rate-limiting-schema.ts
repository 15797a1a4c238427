import { headerName, host, path, port } from '../config/field-types.ts'
import {
  type EntityCheck,
  type Field,
  httpProtocols,
  type PluginSchema,
  type ShorthandField,
} from '../config/schema.ts'
import { PERIODS, type Period } from './windows.ts'

/** The configuration of `rate-limiting`, as Kong 3.9 describes it (`kong/plugins/rate-limiting/schema.lua`). */
export type RateLimitingConfig = { readonly [period in Period]: number | null } & {
  readonly limit_by: 'consumer' | 'credential' | 'ip' | 'service' | 'header' | 'path'
  readonly header_name: string | null
  readonly path: string | null
  readonly policy: string
  readonly hide_client_headers: boolean
  readonly error_code: number
  readonly error_message: string
}

const redis: Field = {
  type: 'record',
  required: true,
  description: 'Redis configuration',
  fields: [
    { host },
    { port: { ...port, default: 6379 } },
    { timeout: { type: 'integer', between: [0, 2_147_483_646], default: 2000, description: 'Milliseconds.' } },
    { username: { type: 'string', referenceable: true, description: 'Username to use for Redis connections.' } },
    { password: { type: 'string', referenceable: true, encrypted: true, len_min: 0, description: 'Its password.' } },
    { database: { type: 'integer', default: 0, description: 'Database to use for the Redis connection.' } },
    { ssl: { type: 'boolean', required: false, default: false, description: 'Whether to use SSL.' } },
    {
      ssl_verify: {
        type: 'boolean',
        required: false,
        default: false,
        description: 'Whether to verify its certificate.',
      },
    },
    { server_name: { type: 'string', description: 'The SNI hostname.' } },
  ],
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
        value === 'local' ? undefined : `policy '${value}' is not available yet: only 'local' is`,
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
  { redis },
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
    sync_rate: { type: 'number', required: true, default: -1, description: 'How often to sync counters, in seconds.' },
  },
]

/** Names that Kong moved into `redis`, and still takes and shows. */
const MOVED: readonly (readonly [string, ShorthandField['type']])[] = [
  ['host', 'string'],
  ['port', 'integer'],
  ['password', 'string'],
  ['username', 'string'],
  ['ssl', 'boolean'],
  ['ssl_verify', 'boolean'],
  ['server_name', 'string'],
  ['timeout', 'integer'],
  ['database', 'integer'],
]

const shorthand_fields = MOVED.map(([name, type]) => ({
  [`redis_${name}`]: {
    type,
    ...(type === 'string' ? { len_min: 0 } : {}),
    deprecation: {
      message: `rate-limiting: config.redis_${name} is deprecated, please use config.redis.${name} instead`,
      removal_in_version: '4.0',
      replaced_with: [{ path: ['redis', name] }],
    },
  },
}))

const requiredWhen = (if_field: string, value: string, then_field: string): EntityCheck => ({
  conditional: { if_field, if_match: { eq: value }, then_field, then_match: { required: true } },
})

export const rateLimitingSchema: PluginSchema = {
  name: 'rate-limiting',
  fields: [
    { protocols: httpProtocols },
    { config: { type: 'record', required: true, fields, shorthand_fields, custom_validator: periodsError } },
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
