import { createServer } from 'node:net'
import { systemRandom } from '../core/index.ts'

/**
 * Below what operating systems give to outgoing connections and to listeners that ask for any port: a server that is
 * started again on its port must not find that a client took it meanwhile.
 */
const PORT_MIN = 15_000
const PORT_END = 32_000
const ATTEMPTS_MAX = 100

/** A port of loopback that nobody listens on now, for servers that must be told theirs. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = PORT_MIN + Math.floor(systemRandom() * (PORT_END - PORT_MIN))
    if (await isFree(port)) return port
  }
  throw new Error(`none of ${ATTEMPTS_MAX} ports from ${PORT_MIN} to ${PORT_END - 1} is free`)
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
