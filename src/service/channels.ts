import { type Endpoint, facts } from '../core/index.ts'

/** One request that a service has answered, or one typed call that it handled in this process. */
export type RequestFact = {
  /** The declaration itself, the same object each time: what is known of a route is found by it. */
  readonly endpoint: Endpoint
  readonly service: string
  readonly method: string
  /** The endpoint's path with its parameters' names: of low cardinality. */
  readonly path: string
  readonly status: number
  readonly durationMs: number
  readonly traceparent: string
}

/** A request that ended in a status of 500 or more, with what was thrown. */
export type FailureFact = {
  /** Undefined where no route was found. */
  readonly service?: string
  readonly method: string
  readonly path: string
  readonly status: number
  readonly traceparent: string
  readonly error: unknown
}

export const requestFacts = facts<RequestFact>('service.request')
export const failureFacts = facts<FailureFact>('service.failure')
