import { facts } from '../core/index.ts'

/** One request that the gateway is done with. */
export type RequestFinished = {
  readonly method: string
  /** Ids; undefined when no route matched, or the route has no service. */
  readonly route: string | undefined
  readonly service: string | undefined
  readonly routeName: string | undefined
  /** Its host where the service has no name; undefined without a service. */
  readonly serviceName: string | undefined
  readonly consumer: string | undefined
  /** The plugin that answered in place of the service: it refused, or had the answer. */
  readonly plugin: { readonly id: string; readonly name: string } | undefined
  /** 499 when the client left before the head of the response was written, as in nginx. */
  readonly status: number
  /** From handing the request on to the head of the response; undefined when the gateway answered by itself. */
  readonly upstreamMs: number | undefined
  readonly totalMs: number
  /** Bytes of the request on the wire, head included. */
  readonly bytesIn: number
  /** Bytes of the response on the wire, head included. */
  readonly bytes: number
  readonly requestId: string
  /** Names the gateway's span; undefined when the request went to no service. */
  readonly traceparent: string | undefined
  /** The client's span, if the request came with one. */
  readonly parentSpanId: string | undefined
}

/** What the plugin `prometheus` has to tell of a request that it applies to. */
export type RequestMeasured = {
  /** Names, or host and id of what has none. */
  readonly service: string
  readonly route: string
  /** Empty unless the plugin tells consumers apart and there is one. */
  readonly consumer: string
  /** Who wrote the answer: the service, a plugin, or the gateway for a service that could not. */
  readonly source: 'service' | 'exit' | 'error'
  readonly status: number
  readonly totalMs: number
  /** What the gateway and its plugins took before the request went on. */
  readonly gatewayMs: number
  readonly upstreamMs: number | undefined
  readonly bytesIn: number
  readonly bytesOut: number
  /** Which of its metrics are on. */
  readonly counts: { readonly status: boolean; readonly latency: boolean; readonly bandwidth: boolean }
}

export type TargetState = 'healthy' | 'unhealthy' | 'closed' | 'open' | 'half-open' | 'resolved' | 'unresolved'

/** A target of an upstream is in or out: by its health, by its circuit breaker, or by the name it goes by. */
export type TargetChanged = {
  /** The upstream's name. */
  readonly upstream: string
  /** `host:port`, as configured. */
  readonly target: string
  /** `ip:port`; empty for what is about the name. */
  readonly address: string
  readonly state: TargetState
}

/** A request went on without what a plugin keeps elsewhere, counts or responses, since that could not be reached. */
export type PluginStoreUnavailable = {
  /** The plugin's id. */
  readonly plugin: string
  readonly error: unknown
}

/** What became of the copy of a request that a plugin was to send to a mirror; `failed`: it did not answer in time. */
export type RequestMirrored = {
  /** The plugin's id. */
  readonly plugin: string
  readonly outcome: 'answered' | 'failed' | 'busy' | 'body-too-large' | 'memory-full' | 'body-incomplete'
}

/** Something of the configuration that cannot work; what it guards answers 500 until it is repaired. */
export type ConfigProblem = { readonly message: string }

/** A plugin, or a service in this process, threw: the client got a 500. */
export type RequestFailed = {
  readonly requestId: string
  readonly traceparent: string | undefined
  readonly error: unknown
}

/** An upstream could not be reached, was too late or broke off: the client got `status` in place of its answer. */
export type UpstreamFailed = {
  /** Under which the client was told of it. */
  readonly requestId: string
  readonly traceparent: string | undefined
  /** The service's name, or its host when it has none. */
  readonly service: string
  /** `host:port` that was asked last; the name of the upstream when none of its targets could be asked. */
  readonly upstream: string
  /** The system's, such as ECONNREFUSED, or the gateway's own, such as UPSTREAM_SILENT. */
  readonly code: string
  readonly reason: string
  /** 502 as well when the head of an answer had gone out already, and the rest of it did not come. */
  readonly status: number
}

/** Entries of a logging plugin that never arrived where it sends them. */
export type DeliveryFailed = { readonly name: string; readonly entries: number; readonly reason: string }

export const deliveryFailed = facts<DeliveryFailed>('gateway.delivery-failed')
export const requestFinished = facts<RequestFinished>('gateway.request-finished')
export const requestMeasured = facts<RequestMeasured>('gateway.request-measured')
export const requestMirrored = facts<RequestMirrored>('gateway.request-mirrored')
export const targetChanged = facts<TargetChanged>('gateway.target-changed')
export const pluginStoreUnavailable = facts<PluginStoreUnavailable>('gateway.plugin-store-unavailable')
export const configProblem = facts<ConfigProblem>('gateway.config-problem')
export const requestFailed = facts<RequestFailed>('gateway.request-failed')
export const upstreamFailed = facts<UpstreamFailed>('gateway.upstream-failed')
