export * from './histogram.ts'
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
