import type { LogCapabilities } from './capabilities.ts'

/**
 * A broker is where events go when EVENTS_URL names one: Kafka or RabbitMQ. The outbox and its sequencer stay as they
 * are, since only PostgreSQL knows what was committed and in which order; a relay forwards each shard's log to the
 * broker, and delivery reads from there.
 *
 * What makes any broker safe: each record names its place in the log it came from (`source` shard and `offset`) and the
 * place of the record before it in the same partition (`after`). A reader that knows how far it has come can therefore
 * tell a repetition (skip it) from a gap (stop, loudly) without trusting the broker, the client, or a relay that froze
 * past its lease.
 */
export type Broker = {
  readonly capabilities: LogCapabilities
  /**
   * Makes what is missing: topics with their partitions and retention, and for each group the means to read them.
   * Throws EVENTS_BROKER_MISMATCH when something exists with another number of partitions. Idempotent.
   */
  declare(declaration: BrokerDeclaration): Promise<void>
  /**
   * Resolves when the broker has made all records durable, in their order within each partition. Rejects when it may
   * have made some of them durable, of each partition the first few and never a later one without those before it: the
   * caller repeats all of them, in the same order. Forwarders of several shards call it side by side, each again only
   * once its last call has settled; no two of their records need an order among them.
   */
  publish(records: readonly BrokerRecord[]): Promise<void>
  /**
   * Reads for a group until stopped. Each partition is read by one process at a time, but for moments of change, and in
   * order from what was last acknowledged; a new group begins with the oldest record that is kept, never the latest. A
   * batch is acknowledged when `onBatch` resolves; when it rejects, the same records come again after a pause, before
   * any later ones of their partitions.
   */
  subscribe(subscription: BrokerSubscription): Promise<BrokerReader>
  /**
   * What is not yet acknowledged, for each of these groups and each partition of its topics, as the broker has them.
   * Needs no `declare`: commands ask without the application at hand.
   */
  lag(groups: BrokerDeclaration['groups']): Promise<readonly BrokerLag[]>
  /** Whether it can be reached now; rejects with EVENTS_BROKER_UNAVAILABLE. */
  ping(): Promise<void>
  /** Closes connections; readers and publications are stopped before. Idempotent. */
  close(): Promise<void>
}

export type BrokerDeclaration = {
  readonly topics: readonly { readonly name: string; readonly partitions: number; readonly retentionMs: number }[]
  readonly groups: readonly { readonly name: string; readonly topics: readonly string[] }[]
}

/** A broker, and what the whole application needs of it: topics that others write are forwarded here as well. */
export type BrokerUse = {
  readonly engine: Broker
  readonly declaration: BrokerDeclaration
  /** Time without progress after which a reader counts as stalled (default 30 s). */
  readonly stallMs?: number
}

export type BrokerRecord = {
  readonly topic: string
  readonly partition: number
  readonly key: string
  /** JSON. */
  readonly value: string
  /** `content-type` says that the value is a CloudEvent with its place in the log: see broker-record.ts. */
  readonly headers: Readonly<Record<string, string>>
}

export type BrokerSubscription = {
  readonly group: string
  readonly topics: readonly string[]
  /** Records of one or more partitions, in order within each. At most one call at a time per partition. */
  readonly onBatch: (records: readonly BrokerRecord[]) => Promise<void>
  /** Something failed and is tried again after the pause. */
  readonly onFailure: (error: unknown, retryInMs: number) => void
}

export type BrokerReader = {
  /** What it is given to read now. Left out where the engine cannot tell: the watchdog then takes all for its own. */
  assigned?(): readonly { readonly topic: string; readonly partition: number }[]
  /** Stops asking for records without leaving the group, for back-pressure. */
  pause(): void
  resume(): void
  /** Finishes the batches under way, acknowledges them, leaves. Idempotent. */
  stop(): Promise<void>
}

export type BrokerLag = {
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly messages: number
}
