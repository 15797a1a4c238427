export type { Caller, CallerOptions, CallInput } from './caller.ts'
export { createCaller } from './caller.ts'
export { type FailureFact, failureFacts, type RequestFact, requestFacts } from './channels.ts'
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
