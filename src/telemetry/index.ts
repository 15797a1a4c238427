export type { Exchange, ExchangeKind } from './exchange.ts'
export { Histogram, type HistogramSummary } from './histogram.ts'
export type { EncodedHistogram } from './histogram-encoding.ts'
export type { GatewayMeter, JourneyMeter, RouteMeter, ServiceMeter, ShardMeter } from './meters.ts'
export { describeMetrics, type Metrics } from './metrics/catalog.ts'
export type { JourneySecond, RouteSecond, Second, ServiceSecond, ShardSecond } from './second.ts'
export { createTelemetry, type Telemetry, type TelemetryOptions, type ViewPart } from './telemetry.ts'
export type {
  Alert,
  Degradation,
  Frame,
  InstanceSample,
  JourneySample,
  LagSample,
  LatencySample,
  RouteSample,
  ServiceSample,
  ShardSample,
  Span,
  TelemetryView,
  TraceSummary,
  Verdict,
} from './view.ts'
