/**
 * Limits that more than one folder relates to, each with its reason. Folders keep limits of their own in their
 * `limits.ts`. docs/limits.md lists them.
 */

/**
 * Buckets of the shard directory. Every number from 1 to 10, and 12, 14, 15, 16, divides it, so that a striped
 * directory is `id % shards`.
 */
export const BUCKET_COUNT = 5040

/** Time a client of the gateway gets for one request when it names no deadline of its own. */
export const GATEWAY_DEADLINE_MS = 60_000

/** Time a service gets for one request: less than the gateway's, so that the service's own answer arrives first. */
export const SERVICE_DEADLINE_MS = 30_000

/** Time one SQL statement gets: less than the service's, so that a stuck statement becomes an error of its service. */
export const STATEMENT_TIMEOUT_MS = 10_000

/** Largest request body a service reads, in bytes. Larger ones get 413 before they are buffered. */
export const BODY_BYTES_MAX = 1_048_576

/** Time an orderly stop may take before what is left is cut off: Kubernetes' default grace period less a margin. */
export const STOP_GRACE_MS = 25_000

/**
 * Time a connection stays open unused once its server stops: longer than a request takes to arrive, so that none is cut
 * on its way, and short enough that a stop with an idle browser does not feel slow.
 */
export const DRAIN_IDLE_MS = 500

/**
 * How often a stopping server looks for connections that became idle: often enough that a stop is not held up by it.
 */
export const DRAIN_CHECK_MS = 50

/**
 * Turns of the event loop in which a stopping server takes connections that were made before: each takes one. New ones
 * may come as fast, so that it has an end.
 */
export const DRAIN_ACCEPT_TURNS_MAX = 500

/**
 * Connections that may wait to be accepted. With Node's 511, two thousand clients at once make the kernel drop
 * handshakes, and the dropped ones come back after up to 31 s. The kernel caps it at its own `somaxconn`.
 */
export const LISTEN_BACKLOG = 4_096

/** Throws when limits contradict each other: an inner deadline must be shorter than the one around it. */
export function assertLimits(): void {
  const ordered = [GATEWAY_DEADLINE_MS, SERVICE_DEADLINE_MS, STATEMENT_TIMEOUT_MS]
  for (let index = 1; index < ordered.length; index++) {
    const outer = ordered[index - 1]
    const inner = ordered[index]
    if (outer === undefined || inner === undefined || inner >= outer) {
      throw new Error(`limits contradict each other: ${inner} ms inside ${outer} ms`)
    }
  }
}
