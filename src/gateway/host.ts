/**
 * Hosts of routes, `example.com`, `*.example.com` or `example.*`, each with or without a port, and hosts of requests.
 */
export type HostPattern = {
  readonly kind: 'exact' | 'suffix' | 'prefix'
  readonly text: string
  /** A route without a port takes requests to any. */
  readonly port: string | undefined
}

export type RequestHost = { readonly name: string; readonly port: string | undefined }

/** What else is known of a request: the name asked for by TLS, empty for none, undefined without TLS. */
export type RouterConnection = { readonly serverName: string | undefined }

export function hostPattern(host: string): HostPattern {
  const { name, port } = requestHost(host)
  if (name.startsWith('*')) return { kind: 'suffix', text: name.slice(1), port }
  if (name.endsWith('*')) return { kind: 'prefix', text: name.slice(0, -1), port }
  return { kind: 'exact', text: name, port }
}

/** Splits a Host header. Names are compared in lower case. */
export function requestHost(header = ''): RequestHost {
  const text = header.toLowerCase()
  const colon = text.lastIndexOf(':')
  // The colons of a bare IPv6 address are inside brackets.
  if (colon < 0 || text.endsWith(']')) return { name: text, port: undefined }
  return { name: text.slice(0, colon), port: text.slice(colon + 1) }
}

/** A request that names no port has come to the one of its scheme. */
export function hostMatches(pattern: HostPattern, host: RequestHost, connection?: RouterConnection): boolean {
  if (pattern.port !== undefined && pattern.port !== (host.port ?? schemePort(connection))) return false
  switch (pattern.kind) {
    case 'exact':
      return host.name === pattern.text
    case 'suffix':
      return host.name.length > pattern.text.length && host.name.endsWith(pattern.text)
    case 'prefix':
      return host.name.length > pattern.text.length && host.name.startsWith(pattern.text)
  }
}

function schemePort(connection: RouterConnection | undefined): string {
  return connection?.serverName === undefined ? '80' : '443'
}
