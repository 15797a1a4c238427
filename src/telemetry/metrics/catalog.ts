import { Family, HistogramSeries, type MetricSpec, ValueSeries } from './metric.ts'

/**
 * Every metric by the name that our code calls it. What a convention names has its name: OpenTelemetry's semantic
 * conventions 1.44 as Prometheus writes them (dots to underscores, unit and `_total` appended), and Kong's own names
 * for what its plugin `prometheus` turns on. The rest begins with `groundswell_`.
 * Source: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 */
const DURATION_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
/** Orders take from milliseconds to hours to their end. */
const JOURNEY_BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600]
/** Source: Kong 3.9, `kong/plugins/prometheus/exporter.lua`. */
const KONG_LATENCY_BOUNDS = [1, 2, 5, 7, 10, 15, 20, 30, 50, 75, 100, 200, 500, 750, 1_000, 3_000, 6_000]
const UPSTREAM_LATENCY_BOUNDS = [25, 50, 80, 100, 250, 400, 700, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000]

type Options<Labels extends readonly string[]> = { readonly help: string; readonly labels: Labels }

const counter = <const Labels extends readonly string[]>(name: string, options: Options<Labels>) =>
  ({ name, type: 'counter', ...options }) satisfies MetricSpec & { type: 'counter' }
const gauge = <const Labels extends readonly string[]>(name: string, options: Options<Labels>) =>
  ({ name, type: 'gauge', ...options }) satisfies MetricSpec & { type: 'gauge' }
/** Recorded in milliseconds, told in seconds. */
const duration = <const Labels extends readonly string[]>(
  name: string,
  options: Options<Labels> & { readonly bounds?: readonly number[] },
) => ({ name, type: 'histogram' as const, scale: 1_000, bounds: DURATION_BOUNDS, ...options }) satisfies MetricSpec
/** Recorded and told in milliseconds, which is Kong's habit and not Prometheus'. */
const kongLatency = (name: string, help: string, bounds: readonly number[]) =>
  ({ name, type: 'histogram' as const, help, labels: ['service', 'route', 'workspace'], bounds }) satisfies MetricSpec

export const catalog = {
  httpServerRequestDuration: duration('http_server_request_duration_seconds', {
    help: 'Time that services took to answer requests, by route and status',
    labels: ['service_name', 'http_request_method', 'http_route', 'http_response_status_code'],
  }),
  gatewayRequestDuration: duration('groundswell_gateway_request_duration_seconds', {
    help: 'Time from the arrival of a request at the gateway to the end of its answer',
    labels: ['http_response_status_code'],
  }),
  failures: counter('groundswell_failures_total', {
    help: 'What handlers and consumers threw, by whether the database or the application was the reason',
    labels: ['service_name', 'reason'],
  }),
  dbOperationDuration: duration('db_client_operation_duration_seconds', {
    help: 'Time from sending a statement to its result',
    labels: ['db_system_name', 'shard'],
  }),
  transactionDuration: duration('groundswell_transaction_duration_seconds', {
    help: 'Time of transactions from having a connection to the answer of COMMIT or ROLLBACK',
    labels: ['shard', 'outcome'],
  }),
  // The convention's db.client.connection.count would end in `_count`, which is reserved for histograms.
  connections: gauge('db_client_connections', {
    help: 'Connections of the pool by state',
    labels: ['shard', 'db_client_connection_state'],
  }),
  connectionsMax: gauge('db_client_connection_max', { help: 'Most connections of the pool', labels: ['shard'] }),
  connectionsPending: gauge('db_client_connection_pending_requests', {
    help: 'Transactions and statements that wait for a connection',
    labels: ['shard'],
  }),
  eventsAppended: counter('groundswell_events_appended_total', {
    help: 'Events that the sequencer moved from the outbox to the log',
    labels: ['shard'],
  }),
  eventsDelivered: counter('groundswell_events_delivered_total', {
    help: 'Events whose effects a consumer group committed',
    labels: ['consumer_group'],
  }),
  deliveryDuration: duration('groundswell_delivery_duration_seconds', {
    help: 'Time of the transaction of one batch of events',
    labels: ['consumer_group'],
  }),
  deliveryAge: duration('groundswell_delivery_age_seconds', {
    help: 'Time from the writing of the oldest event of a batch to the commit of its effects',
    labels: ['consumer_group'],
    bounds: JOURNEY_BOUNDS,
  }),
  eventsFailed: counter('groundswell_events_failed_total', {
    help: 'Failed attempts at events; those of outcome dead wait for an operator',
    labels: ['consumer_group', 'outcome'],
  }),
  eventsReplayed: counter('groundswell_events_replayed_total', {
    help: 'Events that came to a consumer group again, by whether its consumer ran for them or passed them over',
    labels: ['consumer_group', 'outcome'],
  }),
  groupPaused: gauge('groundswell_consumer_group_paused', {
    help: '1 while an operator has paused the consumer group, as this process knows it',
    labels: ['consumer_group'],
  }),
  eventsMissed: gauge('groundswell_events_missed', {
    help: 'Events that retention dropped before a consumer group processed them, until it is moved on; of one process only',
    labels: ['topic', 'consumer_group'],
  }),
  eventsGaps: gauge('groundswell_events_gaps', {
    help: 'Partitions, of each shard, of which the broker lost what a consumer group had to read next, until it is moved on',
    labels: ['topic', 'consumer_group'],
  }),
  periodsDropped: counter('groundswell_log_periods_dropped_total', {
    help: 'Periods of the event log that this process dropped for their age',
    labels: ['shard'],
  }),
  timersReleased: counter('groundswell_timers_released_total', {
    help: 'Delayed events that were due and moved to the outbox',
    labels: ['shard'],
  }),
  timerLateness: duration('groundswell_timer_lateness_seconds', {
    help: 'How late the first of the delayed events was that moved together',
    labels: ['shard'],
  }),
  eventsForwarded: counter('groundswell_events_forwarded_total', {
    help: 'Events of the log that a broker has acknowledged',
    labels: ['shard'],
  }),
  forwardDuration: duration('groundswell_forward_duration_seconds', {
    help: 'Time from having read a batch of the log to knowing that a broker has it',
    labels: ['shard'],
  }),
  readerRestarts: counter('groundswell_reader_restarts_total', {
    help: 'Readers of a broker that were given up for another: silent despite lag (stalled), or behind a gap',
    labels: ['consumer_group', 'reason'],
  }),
  lagEvents: gauge('groundswell_consumer_lag_events', {
    help: 'Events that a consumer group has not processed yet, ~broker: that are not forwarded yet; of one process only',
    labels: ['topic', 'consumer_group'],
  }),
  lagSeconds: gauge('groundswell_consumer_lag_seconds', {
    help: 'Age of the oldest event that a consumer group has not processed, ~broker: forwarded yet; of one process only',
    labels: ['topic', 'consumer_group'],
  }),
  journeyDuration: duration('groundswell_journey_duration_seconds', {
    help: 'Time of journeys from their beginning to the event that ends them',
    labels: ['journey'],
    bounds: JOURNEY_BOUNDS,
  }),
  cpuTime: counter('process_cpu_seconds_total', { help: 'Processor time of the process', labels: [] }),
  memory: gauge('process_resident_memory_bytes', { help: 'Memory of the process that is in RAM', labels: [] }),
  startTime: gauge('process_start_time_seconds', {
    help: 'When the process started, since the Unix epoch',
    labels: [],
  }),
  heapUsed: gauge('nodejs_heap_used_bytes', { help: 'Memory of JavaScript objects', labels: [] }),
  processDisk: counter('process_disk_io_bytes_total', {
    help: 'Bytes that the process caused to be read from and written to storage (Linux)',
    labels: ['disk_io_direction'],
  }),
  eventLoopDelayP50: gauge('nodejs_eventloop_delay_p50_seconds', {
    help: 'Median delay of the event loop in the last second',
    labels: [],
  }),
  eventLoopDelayP99: gauge('nodejs_eventloop_delay_p99_seconds', {
    help: 'P99 of the delay of the event loop in the last second',
    labels: [],
  }),
  eventLoopDelayMax: gauge('nodejs_eventloop_delay_max_seconds', {
    help: 'Longest delay of the event loop in the last second',
    labels: [],
  }),
  eventLoopUtilization: gauge('nodejs_eventloop_utilization_ratio', {
    help: 'Share of the last second in which the event loop was busy',
    labels: [],
  }),
  networkIo: counter('system_network_io_bytes_total', {
    help: 'Bytes over the network interfaces that the process sees, without loopback (Linux)',
    labels: ['network_io_direction'],
  }),
  hostDisk: counter('system_disk_io_bytes_total', {
    help: 'Bytes read from and written to the disks of the host (Linux)',
    labels: ['disk_io_direction'],
  }),
  hostCpu: gauge('system_cpu_utilization_ratio', {
    help: 'Share of the processors of the host that was busy in the last second (Linux)',
    labels: [],
  }),
  hostMemory: gauge('system_memory_usage_bytes', { help: 'Memory of the host', labels: ['system_memory_state'] }),
  containerMemory: gauge('container_memory_usage_bytes', {
    help: 'Memory of the control group of the process (cgroup v2)',
    labels: [],
  }),
  containerMemoryLimit: gauge('container_memory_limit_bytes', {
    help: 'Most memory of the control group, where it has a limit (cgroup v2)',
    labels: [],
  }),
  containerThrottled: counter('container_cpu_throttled_seconds_total', {
    help: 'Time that the control group was kept from running (cgroup v2)',
    labels: [],
  }),
  degraded: gauge('groundswell_degraded', {
    help: '1 for each part that works worse than it should but goes on',
    labels: ['part'],
  }),
  overflowing: gauge('groundswell_telemetry_overflowing', {
    help: '1 for each metric with more series than are told apart',
    labels: ['metric'],
  }),
  exchangeLost: counter('groundswell_telemetry_exchange_lost_total', {
    help: 'Seconds of this process that were not sent to the one with the console, or came too late here',
    labels: [],
  }),
  spans: counter('groundswell_spans_total', {
    help: 'Spans of this process by what became of them, see Traces in the guide',
    labels: ['outcome'],
  }),
  mirrored: counter('groundswell_gateway_mirrored_requests_total', {
    help: 'Copies of requests for mirrors by what became of them (plugin proxy-mirror)',
    labels: ['outcome'],
  }),
  kongRequests: counter('kong_http_requests_total', {
    help: 'Requests by service, route and status (plugin prometheus, status_code_metrics)',
    labels: ['service', 'route', 'code', 'source', 'workspace', 'consumer'],
  }),
  kongLatency: kongLatency(
    'kong_kong_latency_ms',
    'Latency that the gateway and its plugins add (plugin prometheus, latency_metrics)',
    KONG_LATENCY_BOUNDS,
  ),
  kongUpstreamLatency: kongLatency(
    'kong_upstream_latency_ms',
    'Time until the upstream began to answer (plugin prometheus, latency_metrics)',
    UPSTREAM_LATENCY_BOUNDS,
  ),
  kongRequestLatency: kongLatency(
    'kong_request_latency_ms',
    'Latency of whole requests at the gateway (plugin prometheus, latency_metrics)',
    UPSTREAM_LATENCY_BOUNDS,
  ),
  kongBandwidth: counter('kong_bandwidth_bytes', {
    help: 'Bytes in (ingress) and out (egress) (plugin prometheus, bandwidth_metrics)',
    labels: ['service', 'route', 'direction', 'workspace', 'consumer'],
  }),
  kongTargetHealth: gauge('kong_upstream_target_health', {
    help: 'Whether an address of a target is in this state (plugin prometheus, upstream_health_metrics)',
    labels: ['upstream', 'target', 'address', 'state', 'subsystem'],
  }),
  kongDatastore: gauge('kong_datastore_reachable', {
    help: 'Whether the configuration can be read where it is kept (plugin prometheus)',
    labels: [],
  }),
  kongConnections: gauge('kong_nginx_connections_total', {
    help: 'Connections of clients and their requests, in the names of nginx (plugin prometheus)',
    labels: ['node_id', 'subsystem', 'state'],
  }),
  kongMetricErrors: gauge('kong_nginx_metric_errors_total', {
    help: 'Always 0, for dashboards made for Kong (plugin prometheus)',
    labels: [],
  }),
  kongNode: gauge('kong_node_info', {
    help: 'The gateway, and the version of Kong whose contract it speaks (plugin prometheus)',
    labels: ['node_id', 'version'],
  }),
} satisfies Readonly<Record<string, MetricSpec>>

export type MetricName = keyof typeof catalog

type SeriesOf<Spec> = Spec extends { type: 'histogram' } ? HistogramSeries : ValueSeries

/** Every metric of one process, ready to count. */
export type Metrics = { readonly [Name in MetricName]: Family<SeriesOf<(typeof catalog)[Name]>> }

export function createMetrics(): Metrics {
  const families = Object.entries(catalog).map(([name, spec]) => [name, familyOf(spec)])
  return Object.fromEntries(families) as Metrics
}

function familyOf(spec: MetricSpec): Family<HistogramSeries> | Family<ValueSeries> {
  if (spec.type !== 'histogram') return new Family(spec, (labels) => new ValueSeries(labels))
  const bounds = (spec.bounds ?? []).map((bound) => bound * (spec.scale ?? 1))
  return new Family(spec, (labels) => new HistogramSeries(labels, bounds))
}

/** Name, type, labels and meaning of every metric, for the documentation. */
export function describeMetrics(): readonly MetricSpec[] {
  return Object.values(catalog)
}
