import type { MigrationSet } from '../data/index.ts'

export * from './channels.ts'
export { CLOUD_EVENT_MEDIA_TYPE, type CloudEvent, toCloudEvent } from './cloud-event.ts'
export { type CallContext, type ConsumerContext, type Delivery, on, onBatch } from './consumer.ts'
export { type EmitOptions, emit } from './emit.ts'
export { type DeadLetter, deadLetters, type Lag, lag, type OutboxDepth, outboxDepth, redrive } from './operations.ts'
export type { GroupDeclaration } from './plan.ts'
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
