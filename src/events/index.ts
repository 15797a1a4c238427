import type { MigrationSet } from '../data/index.ts'

export type { Broker, BrokerDeclaration, BrokerUse } from './broker.ts'
export { brokerLag, type PartitionLag } from './broker-lag.ts'
export * from './channels.ts'
export { type CallContext, type ConsumerContext, type Delivery, on, onBatch } from './consumer.ts'
export { emit } from './emit.ts'
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
  redrive,
} from './operations.ts'
export type { GroupDeclaration } from './plan.ts'
export { type EventsOptions, type EventsRuntime, startEvents } from './runtime.ts'
export type { RetryPolicy } from './target.ts'

/** The tables of the event log, on every shard. */
export const eventsMigrations: MigrationSet = {
  owner: 'groundswell.events',
  folder: new URL('./migrations/', import.meta.url),
  placement: 'sharded',
}
