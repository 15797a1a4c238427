import { host, port } from './field-types.ts'
import type { Field, ShorthandField } from './schema.ts'

/** How a plugin names the Redis it uses, as Kong 3.9 describes it (`kong/tools/redis/schema.lua`). */
export type RedisSettings = {
  readonly host: string | null
  readonly port: number
  /** Milliseconds, for a whole operation. */
  readonly timeout: number
  readonly username: string | null
  readonly password: string | null
  readonly database: number
  readonly ssl: boolean
  readonly ssl_verify: boolean
  readonly server_name: string | null
}

const flag = (description: string): Field => ({ type: 'boolean', required: false, default: false, description })

export const redisFields: Field = {
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
    { ssl: flag('Whether to use SSL.') },
    { ssl_verify: flag('Whether to verify its certificate.') },
    { server_name: { type: 'string', description: 'The SNI hostname.' } },
  ],
}

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

export const redisShorthands: readonly Readonly<Record<string, ShorthandField>>[] = MOVED.map(([name, type]) => ({
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
