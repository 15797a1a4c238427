import { isSampled, spanIdOf, systemClock, traceIdOf } from '../../core/index.ts'
import { headerName as headerNameField } from '../config/field-types.ts'
import { type Field, httpProtocols, type PluginSchema } from '../config/schema.ts'
import { type Exchange, headerName } from '../exchange.ts'
import type { RequestOutcome } from '../finished.ts'
import { type QueueConfig, queueField } from './delivery-queue.ts'
import type { PluginDefinition } from './plugin.ts'
import { Receiver, shownUrl, urlError } from './receiver.ts'

/**
 * Sends the gateway's span of each sampled request that the plugin applies to, to a collector of its own, by OTLP/HTTP
 * in JSON. The trace is W3C's and is the one that services continue; where their spans go is the process's own setting.
 * Source: Kong 3.9, `kong/plugins/opentelemetry`; OTLP 1.5, "OTLP/HTTP".
 */
type Config = {
  readonly traces_endpoint: string
  readonly headers: Readonly<Record<string, string>> | null
  readonly resource_attributes: Readonly<Record<string, string>> | null
  readonly http_response_header_for_traceid: string | null
  readonly sampling_rate: number | null
  readonly send_timeout: number
  readonly queue: QueueConfig
}

const timeout = (value: number): Field => ({ type: 'integer', default: value, between: [1, 2_147_483_646] })
const unavailable = (type: Field['type']): Field => ({ type, eq: null, description: 'Not available here.' })

const schema: PluginSchema = {
  name: 'opentelemetry',
  fields: [
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          {
            traces_endpoint: {
              type: 'string',
              required: true,
              custom_validator: urlError,
              description: 'Where spans are sent, the path included: `http://collector:4318/v1/traces`.',
            },
          },
          { logs_endpoint: unavailable('string') },
          {
            headers: {
              type: 'map',
              keys: headerNameField,
              values: { type: 'string' },
              description: 'Further headers.',
            },
          },
          { resource_attributes: { type: 'map', keys: { type: 'string' }, values: { type: 'string' } } },
          { queue: queueField({ batchSize: 200 }) },
          { connect_timeout: timeout(1_000) },
          { send_timeout: timeout(5_000) },
          { read_timeout: timeout(5_000) },
          {
            http_response_header_for_traceid: {
              ...headerNameField,
              description: 'Header in which the client gets the id of the trace.',
            },
          },
          {
            header_type: {
              type: 'string',
              default: 'w3c',
              one_of: ['w3c'],
              description: 'Form of the trace’s header: W3C’s only, which is also Kong’s default for a new trace.',
            },
          },
          {
            sampling_rate: {
              type: 'number',
              between: [0, 1],
              description: 'Share of traces that is sent; unset, those that the gateway keeps.',
            },
          },
          { propagation: unavailable('record') },
        ],
        shorthand_fields: [
          {
            endpoint: {
              type: 'string',
              deprecation: {
                message: 'OpenTelemetry: config.endpoint is deprecated, use config.traces_endpoint',
                removal_in_version: '4.0',
                replaced_with: [{ path: ['traces_endpoint'] }],
              },
            },
          },
        ],
      },
    },
  ],
}

export const opentelemetry: PluginDefinition = {
  name: 'opentelemetry',
  version: '3.9.1',
  priority: 14,
  schema,
  create(raw, scope) {
    const config = raw as Config
    const receiver = scope.keep(() => new Receiver())
    const target = {
      url: config.traces_endpoint,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...config.headers },
      timeoutMs: config.send_timeout,
      idleMs: IDLE_MS,
    }
    receiver.queue.configure({
      queue: config.queue,
      name: `opentelemetry to ${shownUrl(config.traces_endpoint)}`,
      send: (spans) => receiver.send(payloadOf(spans, config), target),
    })
    const header = config.http_response_header_for_traceid
    const name = header === null ? undefined : headerName(header)
    return {
      ...(name && { header: (exchange) => exchange.setReplyHeader(name, traceIdOf(traceparentOf(exchange))) }),
      log(exchange, outcome) {
        const traceparent = traceparentOf(exchange)
        if (isChosen(traceparent, config.sampling_rate)) receiver.queue.add(spanOf(exchange, outcome, traceparent))
      },
    }
  },
}

/** Collectors close connections sooner than this if they want to. */
const IDLE_MS = 60_000

/** A request that went to no service has the trace that it would have started. */
const traceparentOf = ({ traceparent, requestId }: Exchange) =>
  traceparent ?? `00-${requestId}-${requestId.slice(16)}-00`

/**
 * By the random digits of the trace's id: every gateway chooses the same traces. Source: W3C Trace Context 2, random
 * trace flag; OpenTelemetry, consistent probability sampling.
 */
function isChosen(traceparent: string, rate: number | null): boolean {
  if (rate === null) return isSampled(traceparent)
  return Number.parseInt(traceIdOf(traceparent).slice(-13), 16) < rate * 16 ** 13
}

const SERVER_KIND = 2
const ERROR_STATUS = 2

function spanOf(exchange: Exchange, outcome: RequestOutcome, traceparent: string): string {
  const { request, target, rawPath, parentSpanId, clientIp } = exchange
  const endMs = systemClock.now()
  return JSON.stringify({
    traceId: traceIdOf(traceparent),
    spanId: spanIdOf(traceparent),
    ...(parentSpanId && { parentSpanId }),
    name: `${request.method} ${target?.route.name ?? rawPath}`,
    kind: SERVER_KIND,
    startTimeUnixNano: nanoseconds(endMs - outcome.totalMs),
    endTimeUnixNano: nanoseconds(endMs),
    attributes: attributesOf({
      'http.request.method': request.method ?? '',
      'http.route': target?.route.name ?? '',
      'http.response.status_code': outcome.status,
      'url.path': rawPath,
      'client.address': clientIp,
      'peer.service': target?.service?.name ?? '',
    }),
    status: outcome.status >= 500 ? { code: ERROR_STATUS } : {},
  })
}

function payloadOf(spans: readonly string[], { resource_attributes }: Config): string {
  const attributes = attributesOf({ 'service.name': 'kong', ...resource_attributes })
  const resource = JSON.stringify({ attributes })
  const scope = JSON.stringify({ name: 'groundswell.gateway' })
  return `{"resourceSpans":[{"resource":${resource},"scopeSpans":[{"scope":${scope},"spans":[${spans.join()}]}]}]}`
}

function attributesOf(values: Readonly<Record<string, string | number>>) {
  return Object.entries(values)
    .filter(([, value]) => value !== '')
    .map(([key, value]) => ({ key, value: typeof value === 'number' ? { intValue: value } : { stringValue: value } }))
}

/** A double has too few digits for nanoseconds since 1970: whole milliseconds, then the rest. */
function nanoseconds(atMs: number): string {
  const whole = Math.floor(atMs)
  return `${whole}${String(Math.floor((atMs - whole) * 1_000_000)).padStart(6, '0')}`
}
