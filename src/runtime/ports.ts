import { createServer } from 'node:net'
import { runtimeError } from './errors.ts'

export type WantedPort = { readonly variable: string; readonly host: string; readonly port: number }

/** Throws RUNTIME_PORT_BUSY, naming every busy port and its variable, before anything has been started or written. */
export async function assertPortsFree(wanted: readonly WantedPort[]): Promise<void> {
  const busy = (await Promise.all(wanted.map(async (entry) => ((await isFree(entry)) ? [] : [entry])))).flat()
  if (busy.length === 0) return
  const list = busy.map(({ variable, host, port }) => `${host}:${port} (${variable})`).join(', ')
  throw runtimeError(
    'RUNTIME_PORT_BUSY',
    `already in use: ${list}; set ${busy.map((entry) => entry.variable).join(', ')} to another port`,
  )
}

function isFree({ host, port }: WantedPort): Promise<boolean> {
  if (port === 0) return Promise.resolve(true)
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error),
    )
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)))
  })
}
