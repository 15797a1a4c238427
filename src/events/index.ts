import type { MigrationSet } from '../data/index.ts'

export * from './channels.ts'
export { type CallContext, type ConsumerContext, type Delivery, on, onBatch } from './consumer.ts'
export { type EmitOptions, emit } from './emit.ts'
export type { ReplayStart } from './engines/postgres-groups.ts'
export { type FollowedEvent, type FollowOptions, follow } from './follow.ts'
export { RETENTION_MS, RETENTION_MS_MAX, RETENTION_MS_MIN } from './limits.ts'
export {
  type DeadLetter,
  deadLetters,
  type Lag,
  lag,
  type OutboxDepth,
  outboxDepth,
  pauseGroup,
  type Replay,
  type ReplayOptions,
  redrive,
  replayGroup,
  replaysPending,
  type TopicState,
  topicStates,
} from './operations.ts'
export { type ParkedCounts, parkedCounts } from './parked-counts.ts'
export type { GroupDeclaration } from './plan.ts'
export { keepLog, keepLogIntervalMs, prepareLog, type Retention, retentionOf } from './retention.ts'
export { type EventsOptions, type EventsRuntime, startEvents } from './runtime.ts'
export type { RetryPolicy } from './target.ts'
export { cancel, schedule, type Timer } from './timers.ts'

/** The tables of the event log, on every shard. */
export const eventsMigrations: MigrationSet = {
  owner: 'groundswell.events',
  folder: new URL('./migrations/', import.meta.url),
  placement: 'sharded',
}
