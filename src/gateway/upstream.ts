import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServiceEntity } from './config/entities.ts'

/**
 * A service in this process: gets the request and response themselves, without a network hop. A request whose head
 * announces no body has ended by then (`readableEnded`), and tells no `end`: reading it, as a stream, gives nothing.
 */
export type LocalUpstream = {
  readonly kind: 'local'
  readonly dispatch: (request: IncomingMessage, response: ServerResponse) => void
}

/** Where a service runs. `origin` is `http://host:port` or `https://host:port`, without a path. */
export type Upstream = LocalUpstream | { readonly kind: 'remote'; readonly origin: string }

const DEFAULT_PORTS = new Map([
  ['http', 80],
  ['https', 443],
  ['grpc', 80],
  ['grpcs', 443],
])

/** HTTP, without TLS or with, by which a protocol is spoken. */
const SCHEMES = new Map([
  ['http', 'http'],
  ['https', 'https'],
  ['grpc', 'http'],
  ['grpcs', 'https'],
])

/** The Host header that a service expects. */
export function hostHeader(service: ServiceEntity): string {
  return service.port === DEFAULT_PORTS.get(service.protocol) ? service.host : `${service.host}:${service.port}`
}

/** The origin that a service names by itself; undefined for protocols that are not HTTP. */
export function originOf(service: ServiceEntity): string | undefined {
  const host = service.host.includes(':') && !service.host.startsWith('[') ? `[${service.host}]` : service.host
  const scheme = schemeOf(service)
  return scheme === undefined ? undefined : `${scheme}://${host}:${service.port}`
}

/** `http` or `https`; undefined for protocols that are neither. */
export function schemeOf({ protocol }: Pick<ServiceEntity, 'protocol'>): string | undefined {
  return SCHEMES.get(protocol)
}
