export { type AlertSecond, Alerts } from './alerts/alerts.ts'
export { alertChanged } from './alerts/channels.ts'
export type { Exchange, ExchangeKind } from './exchange.ts'
export { type OtlpExporter, type OtlpOptions, type OtlpStats, startOtlpExporter } from './exporters/otlp.ts'
export { Histogram, type HistogramSummary } from './histogram.ts'
export type { EncodedHistogram } from './histogram-encoding.ts'
export type { GatewayMeter, JourneyMeter, RouteMeter, ServiceMeter, ShardMeter } from './meters.ts'
export { describeMetrics, type Metrics } from './metrics/catalog.ts'
export type {
  JourneySecond,
  RejectionSecond,
  RouteSecond,
  Second,
  ServiceSecond,
  ShardSecond,
  TrafficKind,
  TrafficSecond,
} from './second.ts'
export { createTelemetry, type Telemetry, type TelemetryOptions, type ViewPart } from './telemetry.ts'
export { EXPORT_BATCH_SPANS_MAX, EXPORT_QUEUE_SPANS_MAX, TRACES_PER_SECOND } from './traces/limits.ts'
export { createSampler } from './traces/sampler.ts'
export { createTraces, type Traces, type TracesOptions, type TracesStats } from './traces/traces.ts'
export type {
  Alert,
  Degradation,
  Frame,
  InstanceSample,
  JourneySample,
  LagSample,
  LatencySample,
  RejectionSample,
  RouteSample,
  ServiceSample,
  ShardSample,
  Span,
  TelemetryView,
  TraceSummary,
  TrafficSample,
  Verdict,
} from './view.ts'
