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

/** How much longer it is kept than clients are told, for a request that is on its way by then. */
export const CLIENT_IDLE_MARGIN_MS = 1_000

/** Time a client may take to send the head of its request, so that slow senders cannot hold connections. */
export const REQUEST_HEAD_TIMEOUT_MS = 60_000

/** Time a client may take to send a whole request, large uploads included. */
export const REQUEST_TIMEOUT_MS = 300_000

/**
 * Time a client may take none of an answer that is under way, nginx's default: clients that read nothing would hold the
 * connections to services, of which there are few.
 */
export const CLIENT_SEND_TIMEOUT_MS = 60_000

/** Time a client may take for the TLS handshake: a few round trips over the worst network. */
export const TLS_HANDSHAKE_MS = 10_000

/** Requests that one HTTP/2 connection may have under way: nginx's default, above what RFC 9113 advises at least. */
export const HTTP2_STREAMS_MAX = 128

/**
 * Requests that a client may take back on one HTTP/2 connection at once, and a second in the long run; it is closed for
 * more. What nghttp2 allows: a busy client cancels some, an attacker all (CVE-2023-44487).
 */
export const HTTP2_RESETS_BURST = 1_000
export const HTTP2_RESETS_PER_SECOND = 33

/** How often connections are checked for clients that send too slowly: a tenth of what these have. */
export const CLIENT_CHECK_MS = 6_000

/** Connections to one upstream; more requests wait. Kong's upstream pool has the same size. */
export const UPSTREAM_CONNECTIONS_MAX = 512

/** HTTP/2 connections to one upstream: full, they carry three times what {@link UPSTREAM_CONNECTIONS_MAX} can. */
export const HTTP2_UPSTREAM_SESSIONS_MAX = 16

/** Requests on one of them, if the upstream allows as many: common servers' default. Beyond, another is opened. */
export const HTTP2_UPSTREAM_STREAMS = 100

/** Time an idle upstream connection is kept, as in Kong; an upstream that announces less gets less. */
export const UPSTREAM_IDLE_MS = 60_000

/** Less than an upstream says it keeps a connection: a request that is on its way when it ends is lost. */
export const UPSTREAM_IDLE_MARGIN_MS = 2_000

/** How often connections are looked for that have been idle for too long. */
export const UPSTREAM_SWEEP_MS = 1_000

/** How long an upstream connection may be silent before the system asks whether its other end is still there. */
export const UPSTREAM_PROBE_MS = 60_000

/** The most that is read from an upstream at once: what Node itself reads at once. */
export const UPSTREAM_READ_BYTES = 65_536

/** Bodies up to this size are written together with the head of their request, which copies them once. */
export const UPSTREAM_SMALL_BODY_BYTES_MAX = 16_384

/** Upstreams' sizes of heads that are read: four times what common servers send at most. */
export const RESPONSE_HEAD_BYTES_MAX = 65_536

/** Interim answers (1xx) to one request that an upstream may send before the answer: hints come once or twice. */
export const INTERIM_RESPONSES_MAX = 100

/**
 * Request bodies up to this size are read whole before they are sent on: one write, and a refused connection can be
 * retried.
 */
export const BUFFERED_BODY_BYTES_MAX = 65_536

/** Response bodies up to this size go to the client together with their head, when they arrive in one piece. */
export const SMALL_RESPONSE_BYTES_MAX = 16_384

/**
 * Deadlines nearer than this, those of clients, and those of requests that wait for a connection get a timer of their
 * own; the silence of the upstream bounds the others.
 */
export const PRECISE_TIMEOUT_MS_MAX = 5_000

/**
 * Identifiers one rate limit counts apart in one window, about 20 MB, and as many of the window before; all further
 * ones share one counter.
 */
export const COUNTED_IDENTIFIERS_MAX = 200_000

/**
 * Characters of an identifier that is counted as it is; longer ones are hashed, so that a header cannot fill the
 * memory.
 */
export const IDENTIFIER_CHARS_MAX = 128

/** Bodies that a plugin changes or checks are in memory whole; larger ones are refused. Far above common JSON. */
export const TRANSFORMED_BODY_BYTES_MAX = 8_388_608

/** Responses that a gateway keeps in memory for `proxy-cache`, in all its plugins together; the oldest make room. */
export const CACHED_RESPONSES_BYTES_MAX = 67_108_864

/** How long Redis remembers that a cached response was removed: longer than what looked before is under way. */
export const REMOVAL_REMEMBERED_MS = 600_000

/** Bodies that `proxy-cache` keeps: larger ones would push many others out. */
export const CACHED_BODY_BYTES_MAX = 1_048_576

/** Bodies of which `proxy-mirror` makes a copy: it is in memory until the client has its answer. */
export const MIRRORED_BODY_BYTES_MAX = 1_048_576

/** Copies of bodies that a gateway has in memory, of all its plugins together; requests beyond are not copied. */
export const COPIED_BODIES_BYTES_MAX = 33_554_432

/** Time an idle connection to a mirror is kept: traffic that is worth mirroring comes more often. */
export const MIRROR_IDLE_MS = 10_000

/** How often a limit that follows latency is adapted: soon, and yet after many requests of a busy service. */
export const LATENCY_WINDOW_MS = 100

/** Requests below which a window goes on: a median of fewer says little. */
export const LATENCY_SAMPLES_MIN = 10

/** Requests of a window whose latency is kept: enough for a median, and sorted in no time. */
export const LATENCY_SAMPLES_MAX = 500

/** How long the least latency seen stands for the unloaded one. Envoy looks again every minute. */
export const LATENCY_EPOCH_MS = 30_000

/** Failures of a Redis in a row after which it is left alone for {@link REDIS_REST_MS}. */
export const REDIS_FAILURES_MAX = 5

/** How long requests then do not ask it: short, for it holds the limits. */
export const REDIS_REST_MS = 500

/** Longest pause between two attempts to connect to a Redis: as its rest, so that neither waits for the other. */
export const REDIS_RECONNECT_MS_MAX = 500

/** How long commands under way may take when a connection to a Redis is no longer needed. */
export const REDIS_CLOSE_MS = 1_000

/**
 * How often services in this process are checked for their deadline, which they keep by themselves unless they hang.
 */
export const LOCAL_DEADLINE_CHECK_MS = 250

/** Lines of `file-log` that wait for the disk, Kong's size of a queue: beyond it they are dropped. */
export const LOG_ENTRIES_WAITING_MAX = 10_000

/** Time that a deleted plugin may take to end its work: what it had to send, it has sent by then. */
export const PLUGIN_STOP_MS = 5_000

/** Throws when limits contradict each other. */
export function assertGatewayLimits(): void {
  if (REQUEST_HEAD_TIMEOUT_MS > REQUEST_TIMEOUT_MS) throw new Error('a head may not take longer than its request')
  if (CACHED_BODY_BYTES_MAX * 16 > CACHED_RESPONSES_BYTES_MAX)
    throw new Error('a cache must have room for a few bodies')
  if (MIRRORED_BODY_BYTES_MAX * 16 > COPIED_BODIES_BYTES_MAX) throw new Error('there must be room for a few copies')
  if (RESPONSE_HEAD_BYTES_MAX < REQUEST_HEAD_BYTES_MAX)
    throw new Error('an upstream must be able to echo a request head')
}

/**
 * Listening sockets of the gateway's port: connections that one turn of the event loop accepts. 32 let in two thousand
 * clients within two seconds even when every turn takes 30 ms.
 */
export const LISTENERS = 32

/** Passwords that a process checks at a time, each some 40 ms of a processor: half of the threads that Node has. */
export const PASSWORD_CHECKS_AT_ONCE = 2

/** Checks that wait for their turn, over half a second in all; whoever comes then is told to come again. */
export const PASSWORD_CHECKS_PENDING_MAX = 32

/** Checked passwords that a process remembers, about 2 MB. */
export const PASSWORD_VERDICTS_MAX = 10_000

/** Age at which a token issuer's keys are fetched again, in the background: rotations are announced hours ahead. */
export const JWKS_FRESH_MS = 300_000

/**
 * Age at which keys that cannot be fetched again count for nothing: an issuer may be down for an hour, and a key that
 * it withdrew is believed for no longer.
 */
export const JWKS_AGE_MS_MAX = 3_600_000

/** Least time between two fetches: tokens with made-up key ids must not become requests to the issuer. */
export const JWKS_FETCH_INTERVAL_MS = 5_000

/** Time of one fetch: a request waits for the first. */
export const JWKS_TIMEOUT_MS = 3_000

/** Size of a key set or discovery document, and keys that are taken from it: issuers publish a handful. */
export const JWKS_BYTES_MAX = 262_144
export const JWKS_KEYS_MAX = 64

/** Difference between the clocks of an issuer and of this machine that is forgiven, in seconds. */
export const JWKS_CLOCK_SKEW_S = 30

/** Values of User-Agent whose verdict `bot-detection` remembers, as in Kong. */
export const USER_AGENTS_MAX = 10_000
