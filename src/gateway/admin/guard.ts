import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isLoopbackName } from '../../core/index.ts'
import { ApiError } from '../config/api-error.ts'

/** Refuses a request, by an `ApiError`, that may not use the Admin API. */
export type Guard = (request: IncomingMessage) => void

/**
 * With a token, every request must carry it, in `Kong-Admin-Token` or as a bearer token. Without one, whoever reaches
 * the loopback interface is trusted, and that includes every web page in a browser on this machine. Two headers that
 * pages cannot forge tell them apart: a foreign `Origin` is a page's own request (a plain form needs no CORS
 * preflight), and a `Host` that is no loopback name is a page whose name was pointed at 127.0.0.1 (DNS rebinding).
 */
export function createGuard(token: string | undefined): Guard {
  return token === undefined ? refuseForeignPages : (request) => requireToken(request, token)
}

/** Whether `Origin` is a page of this machine, such as the console on another port. */
export function isLoopbackOrigin(origin: string): boolean {
  return URL.canParse(origin) && isLoopbackName(new URL(origin).hostname)
}

function refuseForeignPages(request: IncomingMessage): void {
  const { host = '', origin } = request.headers
  const url = `http://${host}`
  if (!URL.canParse(url) || !isLoopbackName(new URL(url).hostname)) {
    throw new ApiError(403, {
      message: `Host "${host}" is refused: without a token the Admin API answers only to localhost`,
    })
  }
  if (origin !== undefined && !isLoopbackOrigin(origin)) {
    throw new ApiError(403, {
      message: `Origin "${origin}" is refused: without a token only pages of this machine may call`,
    })
  }
}

function requireToken(request: IncomingMessage, token: string): void {
  const header = request.headers['kong-admin-token']
  const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const given = typeof header === 'string' ? header : bearer
  if (given === undefined)
    throw new ApiError(401, { message: 'Invalid credentials. Token or User credentials required' })
  if (!timingSafeEqual(digest(given), digest(token))) throw new ApiError(401, { message: 'Unauthorized' })
}

/** Digests have one length, which the comparison needs and which hides the token's. */
const digest = (text: string) => createHash('sha256').update(text).digest()
