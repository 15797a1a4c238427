import type { IncomingHttpHeaders } from 'node:http'
import type { Dispatcher } from 'undici'

/** What an attempt sends: undici's options, and what follows the body. */
export type UpstreamRequest = Omit<Dispatcher.DispatchOptions, 'headers'> & {
  readonly headers: IncomingHttpHeaders
  /** The trailers of the request, asked for when its body has been sent. */
  readonly trailers?: () => IncomingHttpHeaders
}

/** How a handler holds back, or gives up, what comes to it. */
export type UpstreamFlow = Pick<Dispatcher.DispatchController, 'abort' | 'pause' | 'resume'>

/** undici's handler. Each request ends with one of `onResponseEnd`, `onResponseWhole` and `onResponseError`. */
export type UpstreamHandler = {
  /** From here on bytes of the request may have arrived. */
  onRequestStart(flow: UpstreamFlow): void
  onResponseStart(flow: UpstreamFlow, status: number, headers: IncomingHttpHeaders, statusMessage?: string): void
  onResponseData(flow: UpstreamFlow, chunk: Buffer): void
  onResponseEnd(flow: UpstreamFlow, trailers: IncomingHttpHeaders): void
  /** The head is all there is, and says so itself: what gRPC calls Trailers-Only. HTTP/2 only. */
  onResponseWhole(flow: UpstreamFlow, status: number, headers: IncomingHttpHeaders): void
  onResponseError(flow: UpstreamFlow, error: Error): void
  onBodySent(): void
  onRequestUpgrade: NonNullable<Dispatcher.DispatchHandler['onRequestUpgrade']>
}

/** Connections to one upstream, as many as it takes, and bounded. */
export type UpstreamConnections = {
  dispatch(request: UpstreamRequest, handler: UpstreamHandler): unknown
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

/** As Node takes trailers: one text of each name. */
export function textsOf(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}
