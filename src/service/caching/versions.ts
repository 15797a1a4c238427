import type { IncomingHttpHeaders } from 'node:http'
import { FENCE_SILENCE_MS, type Seen } from '../../cache/index.ts'
import type { Context } from '../../core/index.ts'
import type { ProblemReply, Reply } from '../reply.ts'

/**
 * The read version: which transactions a client has seen the effects of, `shard:xid` joined by dots. An answer to a
 * write carries it as a header and as a cookie; a request that brings it back, in either, is shown nothing older by any
 * process.
 */
export const READ_VERSION = 'gs-rv'

/** As many shards as a cluster can have: a token is never longer than 64 of them. */
const TOKEN = /^\d{1,2}:\d{1,15}(?:\.\d{1,2}:\d{1,15}){0,63}$/

/** After this the token says nothing that the bound does not promise anyway. Cookies count whole seconds. */
const COOKIE_SECONDS = Math.ceil(FENCE_SILENCE_MS / 1_000) + 1

const versions = new WeakMap<Context, Map<number, number>>()

/** Notes that the request with this context committed a transaction that invalidated something. */
export function addVersion(context: Context, shard: number, xid: number): void {
  const known = versions.get(context)
  if (known === undefined) versions.set(context, new Map([[shard, xid]]))
  else known.set(shard, Math.max(known.get(shard) ?? 0, xid))
}

/** The answer, with the token if the request has written what caches hold. */
export function withReadVersion<Answer extends Reply | ProblemReply>(answer: Answer, context: Context): Answer {
  const written = versions.get(context)
  if (written === undefined) return answer
  const token = [...written].map(([shard, xid]) => `${shard}:${xid}`).join('.')
  const cookie = `${READ_VERSION}=${token}; Path=/; Max-Age=${COOKIE_SECONDS}; HttpOnly; SameSite=Lax`
  // A cookie of the handler's own wins: the header still says it.
  return { ...answer, headers: { 'set-cookie': cookie, ...answer.headers, [READ_VERSION]: token } }
}

/** What the client has seen, if it says so. What is no token counts as none. */
export function readVersionOf({ [READ_VERSION]: header, cookie }: IncomingHttpHeaders): Seen | undefined {
  if (header === undefined && (cookie === undefined || !cookie.includes(READ_VERSION))) return undefined
  const token = typeof header === 'string' ? header : COOKIE.exec(cookie ?? '')?.[1]
  if (token === undefined || !TOKEN.test(token)) return undefined
  return new Map(
    token.split('.').map((pair) => {
      const [shard, xid] = pair.split(':')
      return [Number(shard), Number(xid)]
    }),
  )
}

const COOKIE = new RegExp(`(?:^|;\\s*)${READ_VERSION}=([^;\\s]+)`)
