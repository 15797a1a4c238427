import {
  type AdminInfo,
  type ConfigStore,
  type Gateway,
  type RequestMeasured,
  requestMeasured,
} from '../gateway/index.ts'
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

export type KongNode = {
  readonly store: Pick<ConfigStore, 'snapshot' | 'reachable'>
  readonly info: Pick<AdminInfo, 'nodeId' | 'version' | 'connections'>
  readonly upstreams: Gateway['upstreams']
}

/** Kong's name for what no protocol but HTTP is measured of. */
const SUBSYSTEM = 'http'

/**
 * What Kong's plugin `prometheus` tells of the node itself, while one is enabled: sets the gauges anew with each call.
 * Never throws.
 */
export function samplerForKong(metrics: Metrics, node: KongNode): () => void {
  const { kongConnections, kongDatastore, kongMetricErrors, kongNode, kongTargetHealth } = metrics
  let isAsking = false
  const askStore = async () => {
    isAsking = true
    const isReachable = await node.store.reachable().catch(() => false)
    kongDatastore.series().set(isReachable ? 1 : 0)
    isAsking = false
  }
  return () => {
    const enabled = node.store.snapshot().plugins.filter(({ name, enabled }) => name === 'prometheus' && enabled)
    for (const gauge of [kongConnections, kongMetricErrors, kongNode, kongTargetHealth]) gauge.clear()
    if (enabled.length === 0) {
      kongDatastore.clear()
      return
    }
    if (!isAsking) void askStore()
    kongNode.series(node.info.nodeId, node.info.version).set(1)
    kongMetricErrors.series().set(0)
    setConnections(metrics, node)
    if (enabled.some(({ config }) => config.upstream_health_metrics === true)) setTargetHealth(metrics, node)
  }
}

function setConnections({ kongConnections }: Metrics, { info: { nodeId, connections } }: KongNode): void {
  const { requests, ...states } = connections()
  for (const [state, count] of Object.entries({ ...states, total: requests })) {
    kongConnections.series(nodeId, SUBSYSTEM, state).set(count)
  }
}

const TARGET_STATES = ['healthchecks_off', 'healthy', 'unhealthy', 'dns_error'] as const

/** One series per address and state, 1 for the state that it is in: as in Kong. */
function setTargetHealth({ kongTargetHealth }: Metrics, { store, upstreams }: KongNode): void {
  for (const { id, name } of store.snapshot().upstreams) {
    const upstream = upstreams.of(id)
    for (const target of upstream?.targets ?? []) {
      const set = (address: string, current: (typeof TARGET_STATES)[number]) => {
        for (const state of TARGET_STATES) {
          kongTargetHealth.series(name, target.name, address, state, SUBSYSTEM).set(state === current ? 1 : 0)
        }
      }
      if (target.addresses.length === 0) set('', 'dns_error')
      for (const { ip, port, isHealthy } of target.addresses) {
        const healthy = upstream?.isChecked === true ? 'healthy' : 'healthchecks_off'
        set(`${ip}:${port}`, isHealthy ? healthy : 'unhealthy')
      }
    }
  }
}
