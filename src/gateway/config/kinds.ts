import { credentialKinds } from './credential-kinds.ts'
import {
  headerValue,
  host,
  method,
  name,
  notAvailable,
  path,
  port,
  protocol,
  routeHeader,
  routeHost,
  routePath,
  tags,
  timeout,
  timestamp,
  uuid,
} from './field-types.ts'
import { type EntityCheckFailure, type EntitySchema, type Field, httpProtocols } from './schema.ts'
import { caCertificates, certificates, snis } from './tls-kinds.ts'
import { targets, upstreams } from './upstream-kinds.ts'

/** The kinds of entities, as Kong 3.9 describes them. Another kind is another description here, and nothing else. */

const identity = [{ id: uuid }, { created_at: timestamp }, { updated_at: timestamp }]

const string: Field = { type: 'string' }
/** What carries calls of gRPC. */
const CALLS = ['grpc', 'grpcs']
const switchOn: Field = { type: 'boolean', required: true, default: true }
const endpoints: Field = {
  type: 'set',
  elements: { type: 'record', fields: [{ ip: string }, { port }] },
}

const services: EntitySchema = {
  name: 'services',
  primary_key: ['id'],
  endpoint_key: 'name',
  fields: [
    ...identity,
    { name },
    { retries: { type: 'integer', default: 5, between: [0, 32767] } },
    { protocol: { ...protocol, required: true, default: 'http' } },
    { host: { ...host, required: true } },
    { port: { ...port, required: true, default: 80 } },
    { path },
    { connect_timeout: { ...timeout, default: 60_000 } },
    { write_timeout: { ...timeout, default: 60_000 } },
    { read_timeout: { ...timeout, default: 60_000 } },
    { tags },
    { client_certificate: { type: 'foreign', reference: 'certificates' } },
    { tls_verify: { type: 'boolean' } },
    { tls_verify_depth: { type: 'integer', between: [0, 64] } },
    { ca_certificates: { type: 'array', elements: { type: 'string', uuid: true } } },
    { enabled: switchOn },
  ],
  shorthand_fields: [{ url: { type: 'string', expand: partsOfUrl } }],
  entity_checks: [
    {
      conditional: { if_field: 'protocol', if_match: { one_of: CALLS }, then_field: 'path', then_match: { eq: null } },
    },
    ...['client_certificate', 'tls_verify', 'tls_verify_depth', 'ca_certificates'].map((then_field) => ({
      conditional: {
        if_field: 'protocol',
        if_match: { not_one_of: ['https', 'tls', 'grpcs'] },
        then_field,
        then_match: { eq: null },
      },
    })),
  ],
}

const routes: EntitySchema = {
  name: 'routes',
  primary_key: ['id'],
  endpoint_key: 'name',
  fields: [
    ...identity,
    { name },
    {
      protocols: {
        type: 'set',
        len_min: 1,
        required: true,
        elements: protocol,
        default: ['http', 'https'],
        custom_validator: mixedProtocolsError,
      },
    },
    {
      https_redirect_status_code: { type: 'integer', one_of: [426, 301, 302, 307, 308], default: 426, required: true },
    },
    { strip_path: switchOn },
    { preserve_host: { type: 'boolean', required: true, default: false } },
    { request_buffering: switchOn },
    { response_buffering: switchOn },
    { tags },
    { service: { type: 'foreign', reference: 'services' } },
    { snis: { type: 'set', elements: host } },
    { sources: onlyForStreams('sources') },
    { destinations: onlyForStreams('destinations') },
    { methods: { type: 'set', elements: method } },
    { hosts: { type: 'array', elements: routeHost } },
    { paths: { type: 'array', elements: routePath } },
    { headers: { type: 'map', keys: routeHeader, values: { type: 'array', elements: headerValue } } },
    { regex_priority: { type: 'integer', default: 0 } },
    { path_handling: { type: 'string', default: 'v0', one_of: ['v0', 'v1'] } },
  ],
  entity_checks: [
    {
      conditional: {
        if_field: 'protocols',
        if_match: { elements: { type: 'string', not_one_of: ['grpcs', 'https', 'tls', 'tls_passthrough'] } },
        then_field: 'snis',
        then_match: { len_eq: 0 },
        then_err: "'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'",
      },
    },
    {
      conditional_at_least_one_of: {
        if_field: 'protocols',
        if_match: { contains: 'https' },
        then_at_least_one_of: ['methods', 'hosts', 'headers', 'paths', 'snis'],
        then_err: "must set one of %s when 'protocols' is 'https'",
        else_match: { contains: 'http' },
        else_then_at_least_one_of: ['methods', 'hosts', 'headers', 'paths'],
        else_then_err: "must set one of %s when 'protocols' is 'http'",
      },
    },
    {
      conditional_at_least_one_of: {
        if_field: 'protocols',
        if_match: { contains: 'grpcs' },
        then_at_least_one_of: ['hosts', 'headers', 'paths', 'snis'],
        then_err: "must set one of %s when 'protocols' is 'grpcs'",
        else_match: { contains: 'grpc' },
        else_then_at_least_one_of: ['hosts', 'headers', 'paths'],
        else_then_err: "must set one of %s when 'protocols' is 'grpc'",
      },
    },
    { custom_entity_check: { field_sources: ['protocols', 'methods'], fn: methodsError } },
  ],
  // A call's path is its name: what is stripped of it could not be found.
  derive: (route) => (isForCalls(route.protocols) ? { strip_path: false } : {}),
}

const consumers: EntitySchema = {
  name: 'consumers',
  primary_key: ['id'],
  endpoint_key: 'username',
  fields: [
    ...identity,
    { username: { type: 'string', unique: true } },
    { custom_id: { type: 'string', unique: true } },
    { tags },
  ],
  entity_checks: [{ at_least_one_of: ['custom_id', 'username'] }],
}

const keyAuthCredentials: EntitySchema = {
  name: 'keyauth_credentials',
  primary_key: ['id'],
  endpoint_key: 'key',
  admin_api_name: 'key-auths',
  admin_api_nested_name: 'key-auth',
  fields: [
    { id: uuid },
    { created_at: timestamp },
    { consumer: { type: 'foreign', reference: 'consumers', required: true, on_delete: 'cascade' } },
    { key: { type: 'string', unique: true, auto: true } },
    { tags },
    { ttl: notAvailable({ type: 'integer' }, 'keys that expire are') },
  ],
}

const plugins: EntitySchema = {
  name: 'plugins',
  primary_key: ['id'],
  endpoint_key: 'instance_name',
  cache_key: ['name', 'route', 'service', 'consumer'],
  subschema_key: 'name',
  subschema_error: "plugin '%s' not enabled; add it to the 'plugins' configuration property",
  fields: [
    ...identity,
    { name: { type: 'string', required: true } },
    { instance_name: name },
    { route: { type: 'foreign', reference: 'routes', on_delete: 'cascade' } },
    { service: { type: 'foreign', reference: 'services', on_delete: 'cascade' } },
    { consumer: { type: 'foreign', reference: 'consumers', on_delete: 'cascade' } },
    { config: { type: 'record', required: true, abstract: true } },
    { protocols: httpProtocols },
    { enabled: switchOn },
    { tags },
  ],
}

/** Parents before children: the order in which they can be created. */
export const kinds: readonly EntitySchema[] = [
  certificates,
  snis,
  caCertificates,
  services,
  routes,
  consumers,
  keyAuthCredentials,
  ...credentialKinds,
  plugins,
  upstreams,
  targets,
]

function isForCalls(protocols: unknown): boolean {
  return Array.isArray(protocols) && protocols.some((protocol) => CALLS.includes(protocol))
}

function mixedProtocolsError(protocols: readonly string[]): string | undefined {
  const isMixed = isForCalls(protocols) && protocols.some((protocol) => !CALLS.includes(protocol))
  return isMixed ? "these sets are mutually exclusive: ('http', 'https'), ('grpc', 'grpcs')" : undefined
}

function methodsError({ protocols, methods }: Readonly<Record<string, unknown>>): EntityCheckFailure | undefined {
  if (!isForCalls(protocols) || methods === null || methods === undefined) return undefined
  return { methods: "cannot set 'methods' when 'protocols' is 'grpc' or 'grpcs'" }
}

function onlyForStreams(field: string): Field {
  const refuse = () => `cannot set '${field}' when 'protocols' is 'http' or 'https'`
  return { ...endpoints, custom_validator: refuse }
}

/**
 * `url` of a service: what it does not name goes back to its default, so that a PATCH of it never mixes two
 * addresses.
 */
function partsOfUrl(value: string): Readonly<Record<string, unknown>> | string {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || url.hostname === '') return 'missing host in url'
  const scheme = url.protocol.slice(0, -1)
  return {
    protocol: scheme,
    host: url.hostname,
    port: url.port === '' ? (scheme === 'https' || scheme === 'grpcs' ? 443 : 80) : Number(url.port),
    // Only of schemes that it knows does URL make a path of none.
    path: url.pathname === '' || (url.pathname === '/' && !/^[a-z]+:\/\/[^/]+\//i.test(value)) ? null : url.pathname,
  }
}
