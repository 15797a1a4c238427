import { requestMeasured } from '../channels.ts'
import { type Field, httpProtocols, type PluginSchema } from '../config/schema.ts'
import type { Exchange } from '../exchange.ts'
import type { PluginDefinition } from './plugin.ts'

/**
 * Turns Kong's own metrics on, under its names, for what the plugin applies to. It measures nothing itself: it tells
 * telemetry what to count of a request; `GET /metrics` of the Admin API shows it. Source: Kong 3.9,
 * `kong/plugins/prometheus`.
 */
type Config = {
  readonly per_consumer: boolean
  readonly status_code_metrics: boolean
  readonly latency_metrics: boolean
  readonly bandwidth_metrics: boolean
}

const off = (description: string): Field => ({ type: 'boolean', default: false, description })
/** Asked for, it is refused: better than metrics that never come. */
const unavailable = (what: string): Field => ({ ...off(`Not available here: there are no ${what}.`), eq: false })

const schema: PluginSchema = {
  name: 'prometheus',
  fields: [
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          { per_consumer: off('Whether kong_http_requests_total and kong_bandwidth_bytes tell consumers apart.') },
          { status_code_metrics: off('Whether requests are counted by status: kong_http_requests_total.') },
          { latency_metrics: off('Whether latencies are measured: kong_kong_latency_ms and its like.') },
          { bandwidth_metrics: off('Whether bytes are counted: kong_bandwidth_bytes.') },
          { upstream_health_metrics: off('Whether the health of targets is told: kong_upstream_target_health.') },
          { ai_metrics: unavailable('AI plugins') },
          { wasm_metrics: unavailable('WebAssembly filters') },
        ],
      },
    },
  ],
}

export const prometheus: PluginDefinition = {
  name: 'prometheus',
  version: '3.9.1',
  priority: 13,
  schema,
  create(raw) {
    const config = raw as Config
    const counts = {
      status: config.status_code_metrics,
      latency: config.latency_metrics,
      bandwidth: config.bandwidth_metrics,
    }
    return {
      log(exchange, outcome) {
        if (!requestMeasured.hasSubscribers) return
        const { dispatchedAtMs, startedAtMs, target, consumer } = exchange
        requestMeasured.publish({
          service: target?.service?.name ?? target?.service?.host ?? '',
          route: target?.route.name ?? target?.route.id ?? '',
          consumer: (config.per_consumer && (consumer?.username ?? consumer?.id)) || '',
          source: sourceOf(exchange),
          status: outcome.status,
          totalMs: outcome.totalMs,
          gatewayMs: dispatchedAtMs === undefined ? outcome.totalMs : dispatchedAtMs - startedAtMs,
          upstreamMs: outcome.upstreamMs,
          bytesIn: outcome.bytesIn,
          bytesOut: outcome.bytes,
          counts,
        })
      },
    }
  },
}

/** Who wrote the answer: the service, a plugin, or the gateway for a service that could not. */
function sourceOf({ exited, dispatchedAtMs }: Exchange): 'service' | 'exit' | 'error' {
  if (!exited) return 'service'
  return dispatchedAtMs === undefined ? 'exit' : 'error'
}
