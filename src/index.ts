/**
 * The public API: everything an application imports. Where the application runs is not in here; the runner and the
 * command line decide that by configuration.
 */
export type { Cache, CacheDeclaration, Caches, LoadOptions } from './cache/index.ts'
export { cache, defaultCache, longTermCache } from './cache/index.ts'
export type {
  Access,
  App,
  AppDefinition,
  Context,
  Endpoint,
  EndpointSpec,
  EventEnvelope,
  EventType,
  JourneyDeclaration,
  Key,
  Placement,
  Scale,
  ServiceDeclaration,
  SiteDeclaration,
  SiteDefinition,
} from './core/index.ts'
export {
  app,
  bucketOfId,
  endpoints,
  event,
  GroundswellError,
  journey,
  messageOf,
  newContext,
  newId,
  site,
  systemClock,
  timeOfId,
} from './core/index.ts'
export type { BatchWrite, Cluster, Queryable, Row, ScatterQuery, Shard, Transaction } from './data/index.ts'
export { bucketOf } from './data/index.ts'
export type { ConsumerContext, Delivery } from './events/index.ts'
export { cancel, emit, on, onBatch, schedule } from './events/index.ts'
export type { Caller, LoadReader, Problem, ProblemReply, Reply, RouteCall, SeedInput } from './service/index.ts'
export {
  claimIdempotencyKeys,
  fingerprintOf,
  handle,
  idempotencyKeyOf,
  invalidate,
  problem,
  reply,
  service,
} from './service/index.ts'
