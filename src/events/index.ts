import type { MigrationSet } from '../data/index.ts'

export type { Broker, BrokerDeclaration, BrokerUse } from './broker.ts'
export { brokerLag, groupsAtBroker, type PartitionLag } from './broker-lag.ts'
export type { LogCapabilities } from './capabilities.ts'
export * from './channels.ts'
export { CLOUD_EVENT_MEDIA_TYPE, type CloudEvent, toCloudEvent } from './cloud-event.ts'
export { type CallContext, type ConsumerContext, type Delivery, on, onBatch } from './consumer.ts'
export { type EmitOptions, emit } from './emit.ts'
export type { ReplayStart } from './engines/postgres-groups.ts'
export { FORWARDER } from './engines/postgres-positions.ts'
export { type FollowedEvent, type FollowOptions, follow } from './follow.ts'
export { RETENTION_MS, RETENTION_MS_MAX, RETENTION_MS_MIN } from './limits.ts'
export { openBroker } from './open-broker.ts'
export {
  type DeadLetter,
  deadLetters,
  groupNames,
  type Lag,
  lag,
  moveGroup,
  type OutboxDepth,
  outboxDepth,
  pauseGroup,
  type Replay,
  type ReplayOptions,
  redrive,
  replayGroup,
  replaysPending,
  skipUnforwarded,
  type TopicState,
  topicStates,
} from './operations.ts'
export { type ParkedCounts, parkedCounts } from './parked-counts.ts'
export type { GroupDeclaration } from './plan.ts'
export { keepLog, keepLogIntervalMs, prepareLog, type Retention, retentionOf } from './retention.ts'
export { type EventsOptions, type EventsRuntime, startEvents } from './runtime.ts'
export { message, type Saga, type SagaDefinition, type SagaFailure, type SagaMessage, saga } from './saga.ts'
export { beginSaga } from './saga-consumer.ts'
export { type JournalEntry, progressOf } from './saga-progress.ts'
export { type SagaView, viewSaga } from './saga-view.ts'
export type { RetryPolicy } from './target.ts'
export { cancel, schedule, type Timer } from './timers.ts'

/** The tables of the event log, on every shard. */
export const eventsMigrations: MigrationSet = {
  owner: 'groundswell.events',
  folder: new URL('./migrations/', import.meta.url),
  placement: 'sharded',
}
