/**
 * The public API: everything an application imports. Where the application runs is not in here; the runner and the
 * command line decide that by configuration.
 */
export type {
  Access,
  App,
  AppDefinition,
  Context,
  Endpoint,
  EndpointSpec,
  EventEnvelope,
  EventType,
  Key,
  Placement,
  Scale,
  ServiceDeclaration,
} from './core/index.ts'
export {
  app,
  bucketOfId,
  endpoints,
  event,
  GroundswellError,
  messageOf,
  newContext,
  newId,
  systemClock,
} from './core/index.ts'
export type { BatchWrite, Cluster, Queryable, Row, ScatterQuery, Shard, Transaction } from './data/index.ts'
export { bucketOf } from './data/index.ts'
export type { ConsumerContext, Delivery } from './events/index.ts'
export { emit, on, onBatch } from './events/index.ts'
export type { Caller, Problem, ProblemReply, Reply, RouteCall, SeedInput } from './service/index.ts'
export {
  claimIdempotencyKeys,
  fingerprintOf,
  handle,
  idempotencyKeyOf,
  problem,
  reply,
  service,
} from './service/index.ts'
