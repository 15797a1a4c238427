import type { CallHandler, CallRequest } from './http1/call.ts'

/** Connections to one upstream, as many as it takes, and bounded: over HTTP/1.1 or HTTP/2, which callers do not see. */
export type UpstreamConnections = {
  /** Sends a request. The handler is never called before this returns the call, except for its failure. */
  send(request: CallRequest, handler: CallHandler): UpstreamCall
  /** There are no connections, and nobody waits for one. */
  readonly isEmpty: boolean
  /** Ends connections that nobody has needed for a while. */
  sweep(nowMs: number): void
  /** Ends what is free now, and the rest as it becomes so. */
  close(): void
  /** Ends everything; what is under way fails. */
  destroy(): void
}

/** One request on its way, which whoever sent it may give up or hold back. */
export type UpstreamCall = {
  readonly isOver: boolean
  /** Of the connection that carries it; undefined while none does. */
  readonly remoteAddress: string | undefined
  /** Gives it up. The handler hears of it, unless the call is over. */
  abort(error: Error): void
  /** No more data until {@link resume}: what has been read already may yet come. */
  pause(): void
  resume(): void
}

/** Headers that are about one connection, and have no place in HTTP/2. Source: RFC 9113, 8.2.2. */
export const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])
