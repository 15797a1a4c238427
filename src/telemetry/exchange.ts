/** `second`: what one process recorded in one second. `spans`: those of traces that are kept. */
export type ExchangeKind = 'second' | 'spans'

/**
 * How the processes of one application tell each other what they measured: small messages, for the moment only.
 *
 * Best effort, at most once: a message may be lost, may come late and out of order, and is gone within a minute. It
 * never blocks and never fails whoever publishes: when what carries the messages is away, they are dropped and counted.
 * A process does not receive what it published itself. A process that runs alone has no exchange.
 */
export type Exchange = {
  publish(kind: ExchangeKind, payload: Uint8Array): void
  /** Calls `listener` for messages of other processes from now on. Returns what ends it. */
  receive(listener: (kind: ExchangeKind, payload: Uint8Array) => void): () => void
}
