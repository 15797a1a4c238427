import { isIP } from 'node:net'
import { headerName, host, method, path, tags, timestamp, uuid } from './field-types.ts'
import type { EntityCheck, EntitySchema, Field, NamedField } from './schema.ts'
import { formatTarget, parseTarget } from './target-name.ts'

/** Upstreams and targets, as Kong 3.9 describes them, and the two records that are ours alone. */

const HASH_SOURCES = ['none', 'consumer', 'ip', 'header', 'cookie', 'path', 'query_arg', 'uri_capture']

const identity = [{ id: uuid }, { created_at: timestamp }, { updated_at: timestamp }]
const seconds: Field = { type: 'number', between: [0, 65_535], description: 'Seconds.' }
const count: Field = { type: 'integer', between: [0, 255], description: 'A count; 0 switches it off.' }
const status: Field = { type: 'integer', between: [100, 999], description: 'A status code.' }
const word: Field = { type: 'string', description: 'A name.' }
const hashSource: Field = { type: 'string', default: 'none', one_of: HASH_SOURCES }

const checkType: Field = {
  type: 'string',
  default: 'http',
  one_of: ['tcp', 'http', 'https', 'grpc', 'grpcs'],
}

const statuses = (...values: readonly number[]): Field => ({ type: 'array', elements: status, default: values })
const record = (...fields: readonly NamedField[]): Field => ({ type: 'record', required: true, fields })
const zero = (field: Field): Field => ({ ...field, default: 0 })
const failureCounts = [{ tcp_failures: zero(count) }, { timeouts: zero(count) }, { http_failures: zero(count) }]

const activeChecks = record(
  { type: checkType },
  { timeout: { ...seconds, default: 1 } },
  { concurrency: { type: 'integer', between: [1, 2_147_483_648], default: 10 } },
  { http_path: { ...path, default: '/' } },
  { https_sni: host },
  { https_verify_certificate: { type: 'boolean', required: true, default: true } },
  { headers: { type: 'map', keys: headerName, values: { type: 'array', elements: { type: 'string' } } } },
  { healthy: record({ interval: zero(seconds) }, { http_statuses: statuses(200, 302) }, { successes: zero(count) }) },
  {
    unhealthy: record(
      { interval: zero(seconds) },
      { http_statuses: statuses(429, 404, 500, 501, 502, 503, 504, 505) },
      ...failureCounts,
    ),
  },
)

const FINE = [200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308]

const passiveChecks = record(
  { type: checkType },
  { healthy: record({ http_statuses: statuses(...FINE) }, { successes: zero(count) }) },
  { unhealthy: record({ http_statuses: statuses(429, 500, 503) }, ...failureCounts) },
)

const circuitBreaker: Field = {
  type: 'record',
  description: 'Not in Kong: opens on failures, and lets a target back after a trial.',
  fields: [
    { failures: { type: 'integer', required: true, between: [1, 65_535], default: 5 } },
    { failure_ratio: { type: 'number', between: [0.01, 1] } },
    { requests_min: { type: 'integer', required: true, between: [1, 65_535], default: 20 } },
    { open_time: { type: 'number', required: true, between: [0.001, 3_600], default: 10 } },
    { successes: { type: 'integer', required: true, between: [1, 255], default: 2 } },
    { http_statuses: { ...statuses(500, 502, 503, 504), required: true } },
  ],
}

const retry: Field = {
  type: 'record',
  description: 'Not in Kong: which answers are asked for again, and how often that may be.',
  fields: [
    { http_statuses: { ...statuses(502, 503, 504), required: true } },
    {
      methods: {
        type: 'set',
        elements: method,
        required: true,
        default: ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'],
      },
    },
    { budget_ratio: { type: 'number', required: true, between: [0, 1], default: 0.2 } },
    { budget_min: { type: 'integer', required: true, between: [0, 65_535], default: 10 } },
  ],
}

export const upstreams: EntitySchema = {
  name: 'upstreams',
  primary_key: ['id'],
  endpoint_key: 'name',
  fields: [
    ...identity,
    { name: { type: 'string', required: true, unique: true, custom_validator: upstreamNameError } },
    {
      algorithm: {
        type: 'string',
        default: 'round-robin',
        one_of: ['consistent-hashing', 'least-connections', 'round-robin', 'latency'],
      },
    },
    { hash_on: hashSource },
    { hash_fallback: hashSource },
    { hash_on_header: headerName },
    { hash_fallback_header: headerName },
    { hash_on_cookie: { type: 'string', custom_validator: cookieNameError } },
    { hash_on_cookie_path: { ...path, default: '/' } },
    { hash_on_query_arg: word },
    { hash_fallback_query_arg: word },
    { hash_on_uri_capture: word },
    { hash_fallback_uri_capture: word },
    { slots: { type: 'integer', default: 10_000, between: [10, 65_536] } },
    { healthchecks: record({ active: activeChecks }, { passive: passiveChecks }, { threshold: threshold() }) },
    { tags },
    { host_header: host },
    { client_certificate: { type: 'foreign', reference: 'certificates' } },
    { use_srv_name: { type: 'boolean', default: false, custom_validator: srvNameError } },
    { circuit_breaker: circuitBreaker },
    { retry },
  ],
  shorthand_fields: [{ hash_on: { type: 'string', expand: algorithmOfHash } }],
  entity_checks: [
    ...hashSettings('header', 'hash_on_header', 'hash_fallback_header'),
    ...hashSettings('query_arg', 'hash_on_query_arg', 'hash_fallback_query_arg'),
    ...hashSettings('uri_capture', 'hash_on_uri_capture', 'hash_fallback_uri_capture'),
    needs('hash_on', 'cookie', 'hash_on_cookie'),
    needs('hash_fallback', 'cookie', 'hash_on_cookie'),
    fallbackOf('none', ['none']),
    fallbackOf('cookie', ['none']),
    ...['consumer', 'ip', 'path'].map((source) => fallbackOf(source, without(source))),
  ],
}

export const targets: EntitySchema = {
  name: 'targets',
  primary_key: ['id'],
  cache_key: ['upstream', 'target'],
  nested_only: true,
  fields: [
    { id: uuid },
    { created_at: preciseTimestamp() },
    { updated_at: preciseTimestamp() },
    { upstream: { type: 'foreign', reference: 'upstreams', required: true, on_delete: 'cascade' } },
    { target: { type: 'string', required: true, custom_validator: targetError, normalise: formatTarget } },
    { weight: { type: 'integer', default: 100, between: [0, 65_535] } },
    { tags },
  ],
}

function threshold(): Field {
  return { type: 'number', default: 0, between: [0, 100] }
}

/** Targets are dated to the millisecond, in Kong because the order of their changes mattered. */
function preciseTimestamp(): Field {
  return { type: 'number', timestamp: true, auto: true, description: 'Seconds since 1970, with milliseconds.' }
}

/** Who hashes wants consistent hashing, whatever the algorithm was. */
function algorithmOfHash(value: string): Readonly<Record<string, unknown>> {
  return value === 'none' ? { hash_on: value } : { hash_on: value, algorithm: 'consistent-hashing' }
}

/** Both `hash_on` and `hash_fallback` may be of this source, which needs a name, and not the same one twice. */
function hashSettings(source: string, on: string, fallback: string): EntityCheck[] {
  return [needs('hash_on', source, on), needs('hash_fallback', source, fallback), { distinct: [on, fallback] }]
}

function needs(if_field: string, source: string, then_field: string): EntityCheck {
  return { conditional: { if_field, if_match: { eq: source }, then_field, then_match: { required: true } } }
}

function fallbackOf(source: string, one_of: readonly string[]): EntityCheck {
  const then_field = 'hash_fallback'
  return { conditional: { if_field: 'hash_on', if_match: { eq: source }, then_field, then_match: { one_of } } }
}

function without(source: string): readonly string[] {
  return HASH_SOURCES.filter((other) => other !== source)
}

function upstreamNameError(value: string): string | undefined {
  if (isIP(value.replace(/^\[(.*)\]$/, '$1')) > 0) return 'Invalid name; no ip addresses allowed'
  if (/^[^:]+:\d+$/.test(value)) return 'Invalid name; no port allowed'
  return parseTarget(value) === undefined ? 'Invalid name; must be a valid hostname' : undefined
}

function targetError(value: string): string | undefined {
  return parseTarget(value) === undefined
    ? `Invalid target ('${value}'); not a valid hostname or ip address`
    : undefined
}

function srvNameError(value: boolean): string | undefined {
  return value ? 'SRV records are not available yet: leave this false' : undefined
}

/** Source: RFC 6265, 4.1.1. */
function cookieNameError(value: string): string | undefined {
  return /^[!#$%&'*+\-.^_`|~\w]+$/.test(value) ? undefined : `invalid cookie name '${value}'`
}
