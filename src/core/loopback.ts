import { isIPv4 } from 'node:net'

/** Whether a host name, as in a URL, can only be this machine: `localhost`, `::1`, `[::1]`, or an address in 127/8. */
export function isLoopbackName(name: string): boolean {
  const bare = name.toLowerCase()
  return bare === 'localhost' || bare === '::1' || bare === '[::1]' || (isIPv4(bare) && bare.startsWith('127.'))
}
