/**
 * What the console asks of the event log, and does to it for an operator. The runtime gives it, whichever log is in
 * use: the console knows none. Each call asks the databases, and rejects when one of them does not answer.
 */
export type EventsPort = {
  /** Where every group that ever ran is, by group, topic, shard. */
  positions(): Promise<readonly GroupPosition[]>
  /** What is parked, for each group and topic that has any. */
  parked(): Promise<readonly ParkedCount[]>
  outbox(): Promise<readonly OutboxState[]>
  /** The latest dead letters, at most `limit`; of one group or of all. */
  deadLetters(options: { readonly group?: string; readonly limit: number }): Promise<readonly ParkedEvent[]>
  /** Gives dead letters of a group another series of attempts: all, or the one with this id. Resolves with how many. */
  redrive(options: { readonly group: string; readonly id?: string }): Promise<number>
  /** Stops a group after the batch that is under way, in every process, or lets it go on. Idempotent. */
  pause(options: { readonly group: string; readonly paused: boolean }): Promise<void>
}

/** Where a group is on one topic: of one shard, or where a broker carries it, of one partition. */
export type GroupPosition = {
  readonly group: string
  readonly topic: string
  readonly shard?: number
  readonly partition?: number
  /** Next offset that the group has to process, and next that the log will give; a broker tells neither. */
  readonly committed?: number
  readonly end?: number
  /** The broker does not answer, so that nothing is known but that the group has read from it. */
  readonly isUnknown?: boolean
  readonly lag: number
  /** Events that retention dropped before the group had them. */
  readonly missed: number
  /** Age of the oldest that waits; 0 when none does. */
  readonly oldestAgeSeconds: number
  readonly isPaused: boolean
  /** An operator sent it back, and it has not come to where it was. */
  readonly isReplaying: boolean
}

export type ParkedCount = {
  readonly group: string
  readonly topic: string
  /** Failed, and will be tried again. */
  readonly retrying: number
  /** Wait behind one of the same key that failed. */
  readonly waiting: number
  readonly dead: number
  /** Most attempts that one of the retrying has had. */
  readonly attempts: number
}

export type OutboxState = { readonly shard: number; readonly events: number; readonly oldestAgeSeconds: number }

export type ParkedEvent = {
  readonly group: string
  readonly topic: string
  readonly source: number
  readonly offset: number
  readonly id: string
  readonly version: number
  readonly key: string
  readonly payload: unknown
  readonly traceparent: string
  readonly attempts: number
  readonly error: string
  readonly firstFailedAt: Date
  readonly lastFailedAt: Date
  readonly waiting: number
}
