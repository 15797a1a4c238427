import { lookup, Resolver } from 'node:dns/promises'
import { isIPv4 } from 'node:net'
import { DNS_ADDRESSES_MAX, DNS_TIMEOUT_MS, DNS_TTL_MS_DEFAULT, DNS_TTL_MS_MAX, DNS_TTL_MS_MIN } from './limits.ts'

export type ResolvedName = {
  readonly ips: readonly string[]
  /** For how long that holds, within bounds. */
  readonly ttlMs: number
}

/** Finds the addresses of a name; rejects when there are none, or none in time. */
export type ResolveName = (name: string) => Promise<ResolvedName>

/**
 * What the system says is the truth, since only it knows its hosts file and search domains; how long it holds is what
 * DNS says. Of a name that has addresses of both kinds only those of IPv4 count, as in Kong: the same machine twice
 * would get twice its share.
 */
export const resolveName: ResolveName = async (name) => {
  const [found, ttlMs] = await Promise.all([inTime(lookup(name, { all: true })), ttlOf(name)])
  // A hosts file may say an address twice.
  const ips = [...new Set(found.map(({ address }) => address))].sort()
  const ipv4 = ips.filter(isIPv4)
  return { ips: (ipv4.length > 0 ? ipv4 : ips).slice(0, DNS_ADDRESSES_MAX), ttlMs }
}

/** A name without a dot is the system's own, such as `localhost`: DNS would be asked for a top-level domain. */
async function ttlOf(name: string): Promise<number> {
  if (!name.includes('.')) return DNS_TTL_MS_DEFAULT
  const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS / 2, tries: 1 })
  try {
    const records = await resolver.resolve4(name, { ttl: true })
    return boundedTtl(Math.min(...records.map(({ ttl }) => ttl * 1_000)))
  } catch {
    return DNS_TTL_MS_DEFAULT // Then the system has the name from elsewhere; if from nowhere, its lookup says so.
  }
}

export function boundedTtl(ttlMs: number): number {
  return Math.min(Math.max(ttlMs, DNS_TTL_MS_MIN), DNS_TTL_MS_MAX)
}

/** The system's own resolver cannot be told to hurry, nor be stopped. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${DNS_TIMEOUT_MS} ms`)), DNS_TIMEOUT_MS)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
