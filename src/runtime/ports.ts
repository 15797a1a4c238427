import { createServer, type Server } from 'node:net'
import { messageOf } from '../core/index.ts'
import { runtimeError } from './errors.ts'
import type { RuntimeOptions } from './options.ts'

/** An address to listen on, with the variables that say so, for messages. */
export type WantedPort = {
  readonly host: string
  readonly port: number
  readonly hostVariable: string
  readonly portVariable: string
}

/** The addresses of a process by what listens there. */
export function wantedOf(settings: RuntimeOptions) {
  return {
    gateway: { ...settings.gateway, hostVariable: 'GATEWAY_HOST', portVariable: 'GATEWAY_PORT' },
    gatewayTls: {
      host: settings.gateway.host,
      port: settings.gatewayTlsPort ?? 0,
      hostVariable: 'GATEWAY_HOST',
      portVariable: 'GATEWAY_TLS_PORT',
    },
    admin: { ...settings.admin, hostVariable: 'ADMIN_HOST', portVariable: 'ADMIN_PORT' },
    console: { ...settings.console, hostVariable: 'CONSOLE_HOST', portVariable: 'CONSOLE_PORT' },
    services: { ...settings.services, hostVariable: 'HOST', portVariable: 'PORT' },
  } satisfies Readonly<Record<string, WantedPort>>
}

/** The origin that people use for an address: every interface, and this machine, are `localhost`. */
export function originAt(host: string, port: number): string {
  const bare = withoutBrackets(host)
  const name = ['0.0.0.0', '::', '127.0.0.1', '::1'].includes(bare) ? 'localhost' : bare
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

/**
 * Tries every address at once, so that two of ours on one port show as well, before anything has been started or
 * written. Throws RUNTIME_PORT_BUSY or RUNTIME_ADDRESS_UNUSABLE, naming every address that does not do.
 */
export async function assertPortsFree(wanted: readonly WantedPort[]): Promise<void> {
  const attempts = await Promise.allSettled(wanted.map(hold))
  await Promise.all(attempts.map((attempt) => attempt.status === 'fulfilled' && release(attempt.value)))
  const failures = attempts.flatMap((attempt, index) => {
    const entry = wanted[index]
    return attempt.status === 'rejected' && entry !== undefined ? [{ entry, error: attempt.reason as unknown }] : []
  })
  const busy = failures.filter(({ error }) => codeOf(error) === 'EADDRINUSE')
  const others = failures.filter(({ error }) => codeOf(error) !== 'EADDRINUSE')
  const messages = [
    ...others.map(({ entry, error }) => unusable(entry, error)),
    ...(busy.length > 0 ? [inUse(busy.map(({ entry }) => entry))] : []),
  ]
  if (messages.length === 0) return
  throw runtimeError(others.length > 0 ? 'RUNTIME_ADDRESS_UNUSABLE' : 'RUNTIME_PORT_BUSY', messages.join('; '))
}

/** Listens, and says what is wrong with the address in the same words when it was taken after it had been tried. */
export async function listenOn(
  wanted: WantedPort,
  listen: (address: { readonly host: string; readonly port: number }) => Promise<{ readonly port: number }>,
): Promise<number> {
  try {
    return (await listen({ host: withoutBrackets(wanted.host), port: wanted.port })).port
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') throw runtimeError('RUNTIME_PORT_BUSY', inUse([wanted]), { cause: error })
    if (!isOfAddress(error)) throw error
    throw runtimeError('RUNTIME_ADDRESS_UNUSABLE', unusable(wanted, error), { cause: error })
  }
}

function hold({ host, port }: WantedPort): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ host: withoutBrackets(host), port, exclusive: true }, () => resolve(server))
  })
}

function release(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

/** `[::1]`, as in a URL, is ::1 for those who listen. */
function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1')
}

function inUse(busy: readonly WantedPort[]): string {
  const list = busy.map(({ portVariable, host, port }) => `${host}:${port} (${portVariable})`).join(', ')
  const variables = busy.map(({ portVariable }) => portVariable).join(', ')
  return `already in use: ${list}; stop what listens there, or set ${variables} to another port`
}

/** What is wrong with an address that nobody else uses, and which variable changes it. */
export function unusable({ host, port, hostVariable, portVariable }: WantedPort, error: unknown): string {
  switch (codeOf(error)) {
    case 'EACCES':
    case 'EPERM':
      return `this user may not listen on port ${port}: set ${portVariable} to 1024 or more`
    case 'EADDRNOTAVAIL':
      return `${host} is no address of this machine: set ${hostVariable} to one, or to 0.0.0.0 for all of them`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host name ${host} does not resolve: correct ${hostVariable}`
    default:
      return `cannot listen on ${host}:${port} (${messageOf(error)}): change ${hostVariable} or ${portVariable}`
  }
}

/** Whether the system refused the address, rather than something else having failed. */
function isOfAddress(error: unknown): boolean {
  const { syscall } = error as NodeJS.ErrnoException
  return syscall === 'listen' || syscall === 'bind' || syscall === 'getaddrinfo'
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
