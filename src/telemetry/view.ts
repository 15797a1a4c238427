/**
 * What telemetry tells those who show it (console, CLI, Prometheus): plain data, JSON as it is. All processes of the
 * application are merged; percentiles come from merged histograms, never from averaged percentiles.
 */

/** One second of the whole system. */
export type Frame = {
  /** End of the second, milliseconds since the Unix epoch. In the older history, of a step; counts are per second. */
  readonly atMs: number
  /** All requests through the gateway together. */
  readonly all: LatencySample
  /** One entry per route with traffic in this second. */
  readonly routes: readonly RouteSample[]
  /** One entry per journey with an end in this second, such as "order placed to shipped". */
  readonly journeys: readonly JourneySample[]
  /** One entry per service with requests, events or errors in this second. */
  readonly services: readonly ServiceSample[]
  /** One entry per service, route and consumer of the gateway with traffic in this second. */
  readonly traffic: readonly TrafficSample[]
  /** One entry per plugin of the gateway that refused requests in this second. */
  readonly rejections: readonly RejectionSample[]
  readonly instances: readonly InstanceSample[]
  /** One entry per topic and consumer group. */
  readonly lag: readonly LagSample[]
  readonly shards: readonly ShardSample[]
}

/** Milliseconds; undefined without a request in this second. `perSecond` counts requests or ends. */
export type LatencySample = {
  readonly perSecond: number
  readonly p50Ms: number | undefined
  readonly p90Ms: number | undefined
  readonly p95Ms: number | undefined
  readonly p99Ms: number | undefined
}

/** A route by its method and path with parameters' names, `POST /orders`: of low cardinality. */
export type RouteSample = LatencySample & { readonly service: string; readonly route: string; readonly errors: number }

export type JourneySample = LatencySample & { readonly journey: string }

export type ServiceSample = {
  readonly service: string
  readonly requestsPerSecond: number
  readonly eventsPerSecond: number
  /** Answers of status 500 and more. */
  readonly httpErrors: number
  /** What handlers and consumers threw. */
  readonly applicationErrors: number
  /** Requests and deliveries of events that failed for a reason of the database. */
  readonly databaseErrors: number
}

/** Requests through the gateway for one service or route, or from one consumer. */
export type TrafficSample = LatencySample & {
  readonly kind: 'service' | 'route' | 'consumer'
  /** Of the entity in the gateway’s configuration; empty for requests without one, `__overflow__` beyond the limit. */
  readonly id: string
  /** Of a service, as its configuration calls it; empty otherwise. */
  readonly name: string
  /** Answers per second by their status. */
  readonly statuses: Readonly<Record<string, number>>
}

/** Requests that one plugin answered with an error in place of the service. */
export type RejectionSample = { readonly plugin: string; readonly perSecond: number }

/** One process. */
export type InstanceSample = {
  /** Host, process id and a random part: another after each start. */
  readonly instance: string
  readonly services: readonly string[]
  /** Of all cores this process may use: 0 to 100. */
  readonly cpuPercent: number
  readonly memoryBytes: number
  /** P99 of this second. */
  readonly eventLoopDelayMs: number
  readonly eventLoopUtilization: number
  readonly diskReadBytes: number
  readonly diskWriteBytes: number
  readonly networkInBytes: number
  readonly networkOutBytes: number
}

export type LagSample = {
  readonly topic: string
  readonly group: string
  /** Events that wait. */
  readonly messages: number
  /** Age of the oldest event that waits; 0 when none does. */
  readonly seconds: number
  /** Events a second that came into the topic, and that the group was done with. 0 while only one look was taken. */
  readonly writtenPerSecond: number
  readonly consumedPerSecond: number
}

export type ShardSample = {
  readonly shard: number
  readonly transactionsPerSecond: number
  readonly transactionP99Ms: number | undefined
  /** Statements, of transactions and by themselves. */
  readonly statementsPerSecond: number
  readonly statementP99Ms: number | undefined
  readonly connectionsBusy: number
  readonly connectionsMax: number
  /** Transactions that wait for a connection. */
  readonly waiting: number
}

/** One piece of work of one trace. */
export type Span = {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  /** Like `POST /orders` or `payment-service order.placed`. */
  readonly name: string
  readonly service: string
  readonly kind: 'server' | 'client' | 'producer' | 'consumer' | 'internal'
  readonly startedAtMs: number
  readonly durationMs: number
  readonly failed: boolean
  readonly attributes: Readonly<Record<string, string | number | boolean>>
}

export type TraceSummary = {
  readonly traceId: string
  /** Name of the first span. */
  readonly name: string
  readonly startedAtMs: number
  /** From the first span's start to the last one's end. */
  readonly durationMs: number
  readonly spans: number
  readonly services: readonly string[]
  readonly failed: boolean
}

export type Alert = {
  readonly id: string
  readonly rule: 'latency-rise' | 'lag-growth'
  readonly state: 'firing' | 'resolved'
  /** What it is about: a route or a topic. */
  readonly subject: string
  /** One sentence: what, by how much, against what, from how many requests. */
  readonly message: string
  readonly sinceMs: number
  readonly resolvedAtMs: number | undefined
}

/** Something that works worse than it should but goes on, such as a second-level cache that is gone. */
export type Degradation = { readonly part: string; readonly message: string; readonly sinceMs: number }

/** A sentence that says whether all is well, for the top of the console. */
export type Verdict = { readonly state: 'healthy' | 'degraded' | 'failing'; readonly sentence: string }

/** What the console reads. Everything answers from memory, at once. */
export type TelemetryView = {
  /** Frames since `sinceMs`, oldest first: seconds for the last 5 minutes, steps of 10 s for 6 hours before. */
  history(sinceMs: number): readonly Frame[]
  /** Calls `onFrame` each second. Returns what ends it. */
  subscribe(onFrame: (frame: Frame) => void): () => void
  /** Kept traces, newest first. */
  traces(limit: number): readonly TraceSummary[]
  /** Spans of one trace by start time; empty when it is not kept. */
  trace(traceId: string): readonly Span[]
  /** Firing ones first, then resolved ones of the last day, newest first. */
  alerts(): readonly Alert[]
  /** Of all processes, one for each part, oldest first; the message names another process than this. */
  degradations(): readonly Degradation[]
  verdict(): Verdict
}
