import { headerName } from '../config/field-types.ts'
import { type RedisSettings, redisFields } from '../config/redis-fields.ts'
import { type Field, httpProtocols, type PluginSchema } from '../config/schema.ts'

/** The configuration of `proxy-cache`, as Kong 3.9 describes it (`kong/plugins/proxy-cache/schema.lua`). */
export type ProxyCacheConfig = {
  readonly response_code: readonly number[]
  readonly request_method: readonly string[]
  readonly content_type: readonly string[]
  /** Seconds. */
  readonly cache_ttl: number
  readonly strategy: 'memory' | 'redis'
  readonly cache_control: boolean
  readonly ignore_uri_case: boolean
  /** Seconds. */
  readonly storage_ttl: number | null
  readonly vary_query_params: readonly string[] | null
  readonly vary_headers: readonly string[] | null
  readonly response_headers: {
    readonly age: boolean
    readonly 'X-Cache-Status': boolean
    readonly 'X-Cache-Key': boolean
  }
  readonly redis: RedisSettings
}

const flag = (initial: boolean, description: string): Field => ({
  type: 'boolean',
  required: true,
  default: initial,
  description,
})

const shown = (what: string): Field => ({ type: 'boolean', default: true, description: `Whether to show ${what}.` })

const MEDIA_TYPE = /^[\w!#$&^.+-]+\/(?:\*|[\w!#$&^.+-]+)(?:\s*;.*)?$|^\*\/\*$/

export const proxyCacheSchema: PluginSchema = {
  name: 'proxy-cache',
  fields: [
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          {
            response_code: {
              type: 'array',
              required: true,
              default: [200, 301, 404],
              len_min: 1,
              elements: { type: 'integer', between: [100, 900] },
              description: 'Statuses of responses that are cached.',
            },
          },
          {
            request_method: {
              type: 'array',
              required: true,
              default: ['GET', 'HEAD'],
              elements: { type: 'string', one_of: ['HEAD', 'GET', 'POST', 'PATCH', 'PUT'] },
              description: 'Methods of requests whose responses are cached.',
            },
          },
          {
            content_type: {
              type: 'array',
              required: true,
              default: ['text/plain', 'application/json'],
              elements: {
                type: 'string',
                custom_validator: (value: string) => (MEDIA_TYPE.test(value) ? undefined : `invalid value: ${value}`),
              },
              description: 'Types of responses that are cached; a response must have as many parameters.',
            },
          },
          { cache_ttl: { type: 'integer', default: 300, gt: 0, description: 'Seconds that a response is fresh.' } },
          {
            strategy: {
              type: 'string',
              required: true,
              one_of: ['memory', 'redis'],
              description: 'Where responses are kept. Kong has redis only in its paid edition.',
            },
          },
          { cache_control: flag(false, 'Whether Cache-Control of requests and responses counts.') },
          { ignore_uri_case: { type: 'boolean', default: false, description: 'Whether case in paths matters not.' } },
          { storage_ttl: { type: 'integer', description: 'Seconds that a response is kept at most.' } },
          {
            memory: {
              type: 'record',
              required: true,
              fields: [
                {
                  dictionary_name: {
                    type: 'string',
                    required: true,
                    default: 'kong_db_cache',
                    description: 'Taken for compatibility: all plugins of a gateway share one memory.',
                  },
                },
              ],
            },
          },
          { redis: redisFields },
          {
            vary_query_params: {
              type: 'array',
              elements: { type: 'string' },
              description: 'Query parameters that tell responses apart; all of them when not given.',
            },
          },
          {
            vary_headers: {
              type: 'array',
              elements: headerName,
              description: 'Request headers that tell responses apart.',
            },
          },
          {
            response_headers: {
              type: 'record',
              required: true,
              fields: [
                { age: shown('Age') },
                { 'X-Cache-Status': shown('X-Cache-Status') },
                { 'X-Cache-Key': shown('X-Cache-Key') },
              ],
            },
          },
        ],
      },
    },
  ],
  entity_checks: [
    {
      conditional: {
        if_field: 'config.strategy',
        if_match: { eq: 'redis' },
        then_field: 'config.redis.host',
        then_match: { required: true },
      },
    },
  ],
}
