import type { Reference } from './entities.ts'

/** Upstreams and their targets, as the Admin API shows them. Times of checks are seconds, fractions allowed. */
export type UpstreamEntity = {
  readonly id: string
  readonly created_at: number
  readonly updated_at: number
  readonly tags: readonly string[] | null
  /** What a service's host says to go to this upstream. */
  readonly name: string
  readonly algorithm: 'consistent-hashing' | 'latency' | 'least-connections' | 'round-robin'
  readonly hash_on: HashSource
  readonly hash_fallback: HashSource
  readonly hash_on_header: string | null
  readonly hash_fallback_header: string | null
  readonly hash_on_cookie: string | null
  readonly hash_on_cookie_path: string
  readonly hash_on_query_arg: string | null
  readonly hash_fallback_query_arg: string | null
  readonly hash_on_uri_capture: string | null
  readonly hash_fallback_uri_capture: string | null
  readonly slots: number
  readonly healthchecks: HealthChecks
  readonly host_header: string | null
  readonly client_certificate: Reference | null
  readonly use_srv_name: boolean
  readonly circuit_breaker: CircuitBreakerConfig | null
  readonly retry: RetryConfig | null
}

/** What of a request decides its target. */
export type HashSource = 'none' | 'consumer' | 'ip' | 'header' | 'cookie' | 'path' | 'query_arg' | 'uri_capture'

export type HealthChecks = {
  readonly active: ActiveChecks
  readonly passive: PassiveChecks
  /** Percent of the weight that must be more than available, or the upstream as a whole counts as unhealthy. */
  readonly threshold: number
}

export type CheckType = 'tcp' | 'http' | 'https' | 'grpc' | 'grpcs'

export type ActiveChecks = {
  readonly type: CheckType
  readonly timeout: number
  readonly concurrency: number
  /** Of checks by gRPC: the service, behind a slash; the whole server by `/`. */
  readonly http_path: string
  readonly https_sni: string | null
  readonly https_verify_certificate: boolean
  readonly headers: Readonly<Record<string, readonly string[]>> | null
  readonly healthy: HealthyRule & { readonly interval: number }
  readonly unhealthy: UnhealthyRule & { readonly interval: number }
}

export type PassiveChecks = {
  readonly type: CheckType
  readonly healthy: HealthyRule
  readonly unhealthy: UnhealthyRule
}

export type HealthyRule = { readonly http_statuses: readonly number[]; readonly successes: number }

/** Failures in a row until a target counts as unhealthy; 0 does not count them. */
export type UnhealthyRule = {
  readonly http_statuses: readonly number[]
  readonly tcp_failures: number
  readonly timeouts: number
  readonly http_failures: number
}

/** Ours, not Kong's: takes a failing target out for a while, and lets a few requests try it before it is back. */
export type CircuitBreakerConfig = {
  /** Failures in a row that open it. */
  readonly failures: number
  /** Share of failures, 0 to 1, among at least `requests_min` of the last ten seconds that opens it too. */
  readonly failure_ratio: number | null
  readonly requests_min: number
  /** Seconds until the target is tried again. */
  readonly open_time: number
  /** Requests that must succeed before the target is back; no more are let through until then. */
  readonly successes: number
  /** Answers that are failures; what yields no answer always is. */
  readonly http_statuses: readonly number[]
}

/** Ours, not Kong's: which answers are asked for again at another target. */
export type RetryConfig = {
  readonly http_statuses: readonly number[]
  readonly methods: readonly string[]
  /** Retries of requests that a target had already got, as a share of the requests of the last ten seconds. */
  readonly budget_ratio: number
  /** Such retries that ten seconds may have however few requests there are. */
  readonly budget_min: number
}

/** One place that an upstream's requests may go to: a host name or address, and a port. */
export type TargetEntity = {
  readonly id: string
  readonly created_at: number
  readonly updated_at: number
  readonly tags: readonly string[] | null
  /** `host:port`. */
  readonly target: string
  /** Share of the requests against the other targets'; 0 takes none. */
  readonly weight: number
  readonly upstream: Reference
}
