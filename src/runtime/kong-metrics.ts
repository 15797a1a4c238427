import { type RequestMeasured, requestMeasured } from '../gateway/index.ts'
import type { Metrics } from '../telemetry/index.ts'

/** Kong names the workspace in every series; there is one. */
const WORKSPACE = 'default'

/** Counts what the gateway's plugin `prometheus` tells, under Kong's names. Returns what ends it. */
export function recordForKong(metrics: Metrics): () => void {
  return requestMeasured.subscribe((fact) => {
    if (fact.counts.status) countStatus(metrics, fact)
    if (fact.counts.latency) recordLatencies(metrics, fact)
    if (fact.counts.bandwidth) countBytes(metrics, fact)
  })
}

function countStatus(metrics: Metrics, { service, route, status, source, consumer }: RequestMeasured): void {
  metrics.kongRequests.series(service, route, status, source, WORKSPACE, consumer).add()
}

function recordLatencies(metrics: Metrics, { service, route, totalMs, gatewayMs, upstreamMs }: RequestMeasured): void {
  metrics.kongLatency.series(service, route, WORKSPACE).record(gatewayMs)
  metrics.kongRequestLatency.series(service, route, WORKSPACE).record(totalMs)
  if (upstreamMs !== undefined) metrics.kongUpstreamLatency.series(service, route, WORKSPACE).record(upstreamMs)
}

function countBytes(metrics: Metrics, { service, route, consumer, bytesIn, bytesOut }: RequestMeasured): void {
  metrics.kongBandwidth.series(service, route, 'ingress', WORKSPACE, consumer).add(bytesIn)
  metrics.kongBandwidth.series(service, route, 'egress', WORKSPACE, consumer).add(bytesOut)
}
