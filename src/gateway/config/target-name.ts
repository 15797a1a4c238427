import { isIP, isIPv6 } from 'node:net'

/** A target as written: `host`, `host:port`, `[ipv6]` or `[ipv6]:port`. */
export type TargetName = { readonly host: string; readonly port: number }

/** Kong's port of a target that names none. */
const DEFAULT_PORT = 8000

const HOST_NAME = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/

/** Undefined when it is neither a host name nor an address. An address comes without its brackets. */
export function parseTarget(text: string): TargetName | undefined {
  const [, bracketed, plain, portText] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = (isIPv6(text) ? text : (bracketed ?? plain))?.toLowerCase()
  const port = portText === undefined || isIPv6(text) ? DEFAULT_PORT : Number(portText)
  if (host === undefined || port > 65_535 || (bracketed !== undefined && !isIPv6(host))) return undefined
  // Four numbers that are no address are a mistyped address rather than a name.
  const isName = HOST_NAME.test(host) && !/^[\d.]+$/.test(host)
  return isIP(host) > 0 || isName ? { host, port } : undefined
}

/** The one way in which a target is stored and compared; what is none stays as it is. */
export function formatTarget(text: string): string {
  const name = parseTarget(text)
  return name === undefined ? text : `${bracketed(name.host)}:${name.port}`
}

/** A host as it stands in a URL. */
export const bracketed = (host: string) => (isIPv6(host) ? `[${host}]` : host)
