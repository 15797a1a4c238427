export { type Caching, type CachingOptions, createCaching, startCaching } from './caching/caching.ts'
export { invalidate } from './caching/invalidate.ts'
export type { LoadReader } from './caching/load-reader.ts'
export { purgeInvalidations } from './caching/retention.ts'
export type { Caller, CallerOptions, CallInput } from './caller.ts'
export { createCaller } from './caller.ts'
export { type FailureFact, failureFacts, followFailed, type RequestFact, requestFacts } from './channels.ts'
export { createServiceHost, type ServiceHost, type ServiceHostOptions } from './host.ts'
export {
  claimIdempotencyKeys,
  fingerprintOf,
  type IdempotencyClaim,
  type IdempotencyOutcome,
  idempotencyKeyOf,
  purgeIdempotencyKeys,
  serviceMigrations,
} from './idempotency.ts'
export { type Problem, type ProblemReply, problem, type RepliesOf, type Reply, reply } from './reply.ts'
export { handle, type RouteCall, type SeedInput, type ServiceDefinition, service } from './service.ts'
