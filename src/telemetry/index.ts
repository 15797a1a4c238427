export { type OtlpExporter, type OtlpOptions, type OtlpStats, startOtlpExporter } from './exporters/otlp.ts'
export * from './histogram.ts'
export { TRACES_PER_SECOND } from './traces/limits.ts'
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
  RouteSample,
  ServiceSample,
  ShardSample,
  Span,
  TelemetryView,
  TraceSummary,
  Verdict,
} from './view.ts'
