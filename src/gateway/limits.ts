/** Limits of the gateway, each with its reason. Relations between them are asserted by {@link assertGatewayLimits}. */

/** Bytes of a request's head: what nginx accepts by default (four buffers of 8 KiB). */
export const REQUEST_HEAD_BYTES_MAX = 32_768

/** Bytes of a request's target: one of nginx's four buffers, which must hold a whole line. */
export const REQUEST_TARGET_BYTES_MAX = 8_192

/** Headers of a request: more than browsers send through a chain of proxies, and less than makes reading them slow. */
export const REQUEST_HEADERS_MAX = 200

/** Open client connections: below common file descriptor limits, with room for as many connections to upstreams. */
export const CLIENT_CONNECTIONS_MAX = 20_000

/** Time an idle client connection is kept, nginx's default: longer than most load balancers in front keep theirs. */
export const CLIENT_IDLE_MS = 75_000

/** Time a client may take to send the head of its request, so that slow senders cannot hold connections. */
export const REQUEST_HEAD_TIMEOUT_MS = 60_000

/** Time a client may take to send a whole request, large uploads included. */
export const REQUEST_TIMEOUT_MS = 300_000

/** Time a client may take for the TLS handshake: a few round trips over the worst network. */
export const TLS_HANDSHAKE_MS = 10_000

/** Requests that one HTTP/2 connection may have under way: nginx's default, above what RFC 9113 advises at least. */
export const HTTP2_STREAMS_MAX = 128

/** How often connections are checked for clients that send too slowly: a tenth of what these have. */
export const CLIENT_CHECK_MS = 6_000

/** Connections to one upstream; more requests wait. Kong's upstream pool has the same size. */
export const UPSTREAM_CONNECTIONS_MAX = 512

/** Time an idle upstream connection is kept, as in Kong; an upstream that announces less gets less. */
export const UPSTREAM_IDLE_MS = 60_000

/** Upstreams' sizes of heads that are read: four times what common servers send at most. */
export const RESPONSE_HEAD_BYTES_MAX = 65_536

/**
 * Request bodies up to this size are read whole before they are sent on: one write, and a refused connection can be
 * retried.
 */
export const BUFFERED_BODY_BYTES_MAX = 65_536

/** Response bodies up to this size go to the client together with their head, when they arrive in one piece. */
export const SMALL_RESPONSE_BYTES_MAX = 16_384

/** Timeouts shorter than this get a timer of their own; undici's shared timers are only exact to about a second. */
export const PRECISE_TIMEOUT_MS_MAX = 5_000

/** Identifiers one rate limit counts apart in one window, about 20 MB; all further ones share one counter. */
export const COUNTED_IDENTIFIERS_MAX = 200_000

/**
 * Characters of an identifier that is counted as it is; longer ones are hashed, so that a header cannot fill the
 * memory.
 */
export const IDENTIFIER_CHARS_MAX = 128

/**
 * How often services in this process are checked for their deadline, which they keep by themselves unless they hang.
 */
export const LOCAL_DEADLINE_CHECK_MS = 250

/** Throws when limits contradict each other. */
export function assertGatewayLimits(): void {
  if (REQUEST_HEAD_TIMEOUT_MS > REQUEST_TIMEOUT_MS) throw new Error('a head may not take longer than its request')
  if (RESPONSE_HEAD_BYTES_MAX < REQUEST_HEAD_BYTES_MAX)
    throw new Error('an upstream must be able to echo a request head')
}

/**
 * Listening sockets of the gateway's port: connections that one turn of the event loop accepts. 32 let in two thousand
 * clients within two seconds even when every turn takes 30 ms.
 */
export const LISTENERS = 32
