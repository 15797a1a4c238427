import { METHODS } from 'node:http'
import { isIP } from 'node:net'
import { normalisePath } from '../path.ts'
import { compileHeaderPattern, compilePathPattern } from './path-pattern.ts'
import type { Field } from './schema.ts'

/** Fields that several kinds share, with Kong's rules and messages. Source: Kong 3.9, `kong/db/schema/typedefs.lua`. */

export const uuid: Field = { type: 'string', uuid: true, auto: true, description: 'A UUID, made up when not given.' }

export const timestamp: Field = { type: 'integer', timestamp: true, auto: true, description: 'Seconds since 1970.' }

export const name: Field = { type: 'string', unique: true, custom_validator: nameError, description: 'A unique name.' }

export const tags: Field = {
  type: 'set',
  elements: { type: 'string', required: true, custom_validator: tagError, description: 'A tag.' },
  description: 'Words for grouping and filtering.',
}

export const host: Field = { type: 'string', custom_validator: hostError, description: 'A host name or IP address.' }

/** A name that clients ask for by TLS: a host name, one with a wildcard at an end, or `*`. */
export const sniName: Field = { type: 'string', custom_validator: sniNameError, description: 'A host name.' }

export const port: Field = { type: 'integer', between: [0, 65535], description: 'A TCP port.' }

/** 1 ms to Kong's largest: 2^31 - 2 ms. */
export const timeout: Field = { type: 'integer', between: [1, 2_147_483_646], description: 'Milliseconds.' }

export const path: Field = {
  type: 'string',
  starts_with: '/',
  custom_validator: pathError,
  description: 'A URL path that begins with a slash.',
}

const PROTOCOLS = ['grpc', 'grpcs', 'http', 'https', 'tcp', 'tls', 'tls_passthrough', 'udp']

const PROXIED = ['grpc', 'grpcs', 'http', 'https']

/**
 * Kong's protocols; those that this gateway does not proxy are refused by name instead of being accepted and ignored.
 */
export const protocol: Field = {
  type: 'string',
  one_of: PROTOCOLS,
  custom_validator: (value: string) =>
    PROXIED.includes(value) ? undefined : `'${value}' is not available yet: only ${PROXIED.join(', ')} are proxied`,
  description: 'A protocol.',
}

export const method: Field = {
  type: 'string',
  custom_validator: (value: string) =>
    METHODS.includes(value) ? undefined : `invalid value: ${value} is no method that the gateway reads`,
  description: 'An HTTP method in upper case, one that Node reads.',
}

export const routeHost: Field = {
  type: 'string',
  custom_validator: routeHostError,
  description: 'A host, or a wildcard.',
}

export const routePath: Field = {
  type: 'string',
  custom_validator: routePathError,
  description: 'A path prefix, or a regular expression behind `~`.',
}

export const headerValue: Field = { type: 'string', custom_validator: headerValueError, description: 'A header value.' }

/** A header that a route matches by: any but Host, which has a field of its own. */
export const routeHeader: Field = { type: 'string', custom_validator: routeHeaderError, description: 'A header name.' }

export const headerName: Field = { type: 'string', custom_validator: headerNameError, description: 'A header name.' }

/** A field that Kong has and this gateway does not act on: anything but null is refused. */
export function notAvailable(field: Field, what: string): Field {
  return { ...field, custom_validator: () => `${what} not available yet: leave this unset` }
}

function nameError(value: string): string | undefined {
  // Kong's utf8_name: ASCII is limited to unreserved URL characters, everything beyond ASCII is allowed.
  return /^[A-Za-z0-9._~\-\u{80}-\u{10ffff}]+$/u.test(value)
    ? undefined
    : `invalid value '${value}': the only accepted ascii characters are alphanumerics or ., -, _, and ~`
}

function tagError(value: string): string | undefined {
  return /[,/]/.test(value)
    ? `invalid tag '${value}': expected printable ascii (except \`,\` and \`/\`) or valid utf-8 sequences`
    : undefined
}

function hostError(value: string): string | undefined {
  if (isIP(value.replace(/^\[(.*)\]$/, '$1')) > 0) return undefined
  if (/^[^:]+:\d+$/.test(value)) return 'must not have a port'
  return /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$/.test(value) ? undefined : `invalid value: ${value}`
}

/** A plain host or one with `*.` in front or `.*` behind, with an optional port. */
function routeHostError(value: string): string | undefined {
  const [, bare = value, portText] = /^(.*?)(?::(\d+))?$/.exec(value) ?? []
  if (portText !== undefined && Number(portText) > 65535) return `invalid value: ${value}`
  const stars = bare.split('*').length - 1
  if (stars > 1) return 'invalid wildcard: must have at most one wildcard'
  if (stars === 1 && !/^\*\.[^*]+$|^[^*]+\.\*$/.test(bare)) {
    return 'invalid wildcard: must be placed at leftmost or rightmost label'
  }
  return hostError(bare.replace('*', 'x')) === undefined ? undefined : `invalid hostname: ${value}`
}

function sniNameError(value: string): string | undefined {
  if (value === '*') return undefined
  if (isIP(value) > 0) return 'must not be an IP'
  if (/:\d+$/.test(value)) return 'must not have a port'
  return routeHostError(value)
}

function pathError(value: string): string | undefined {
  if (value.includes('//')) return 'must not have empty segments'
  if (!/^\/[\w.\-~/%:@!$&'()*+,;=]*$/.test(value)) {
    return `invalid path: '${value}' (characters outside of the reserved list of RFC 3986 found)`
  }
  const broken = /%(?![0-9A-Fa-f]{2}).{0,2}/.exec(value)
  return broken ? `invalid url-encoded value: '${broken[0]}'` : undefined
}

function routePathError(value: string): string | undefined {
  if (value.startsWith('~/')) {
    const compiled = compilePathPattern(value.slice(1))
    return compiled instanceof RegExp ? undefined : `invalid regex: '${value.slice(1)}' (${compiled})`
  }
  if (!value.startsWith('/')) return 'should start with: / (fixed path) or ~/ (regex path)'
  return pathError(value) ?? normalisedError(value)
}

/** A prefix that normalisation changes could never match, since requests are matched in their normalised form. */
function normalisedError(value: string): string | undefined {
  const normalised = normalisePath(value)
  return normalised === value ? undefined : `non-normalized path, consider use '${normalised}' instead`
}

/** A value is compared as it is, or is a regular expression behind `~*`. */
function headerValueError(value: string): string | undefined {
  if (!value.startsWith('~*')) return undefined
  const compiled = compileHeaderPattern(value.slice(2))
  return compiled instanceof RegExp ? undefined : `invalid regex: '${value.slice(2)}' (${compiled})`
}

function routeHeaderError(value: string): string | undefined {
  if (/^host$/i.test(value)) return "cannot contain 'host' header, which must be specified in the 'hosts' attribute"
  return headerNameError(value)
}

function headerNameError(value: string): string | undefined {
  return /^[A-Za-z0-9_-]+$/.test(value)
    ? undefined
    : `bad header name '${value}', allowed characters are A-Z, a-z, 0-9, '_', and '-'`
}
