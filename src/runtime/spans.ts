import { type App, isSampled, newSpanId, preciseNow, spanIdOf, traceIdOf } from '../core/index.ts'
import { appended, called, delivered, parked, type TracedEvent } from '../events/index.ts'
import { type RequestFinished, requestFinished } from '../gateway/index.ts'
import { type RequestFact, requestFacts } from '../service/index.ts'
import type { Span, Traces } from '../telemetry/index.ts'
import { namedRoutesOf } from './gateway-routes.ts'

/**
 * Spans from the facts that the folders publish. A trace of an order:
 *
 *     POST /orders                              gateway            server
 *     └─ POST /orders                           order-service      server
 *        ├─ outbox order.placed                 order-service      producer: written → appended to the log
 *        ├─ inventory-service order.placed      inventory-service  consumer: begun → effects committed
 *        └─ payment-service order.placed        payment-service    consumer
 *           ├─ payment-service order.placed call                   client: the effect outside of the database
 *           └─ outbox payment.authorized …
 *
 * An event names the span that emitted it, and that is the parent of its outbox span and of every group's. Of requests
 * and events whose traces are not kept, this asks for the flag and does no more, unless they failed.
 */
export function recordSpans(traces: Pick<Traces, 'record' | 'recordError'>, app: App): () => void {
  const routes = routesByName(app)
  const emitters = emittersByTopic(app)
  const keep = (traceparent: string | undefined, failed: boolean, make: () => Span) => {
    if (traceparent !== undefined && isSampled(traceparent)) traces.record(make())
    else if (failed) traces.recordError(make)
  }
  const unsubscribes = [
    requestFinished.subscribe((fact) =>
      keep(fact.traceparent, fact.status >= 500, () => gatewaySpan(fact, routes.get(fact.routeName ?? ''))),
    ),
    requestFacts.subscribe((fact) => keep(fact.traceparent, fact.status >= 500, () => serviceSpan(fact))),
    appended.subscribe(({ shard, traced }) => {
      for (const event of traced) {
        const name = `outbox ${event.topic}`
        const service = emitters.get(event.topic) ?? 'outbox'
        traces.record(eventSpan(event, { name, service, kind: 'producer', attributes: { [SHARD]: shard } }))
      }
    }),
    delivered.subscribe(({ group, target, events, traced }) => {
      const attributes = { [GROUP]: group, [SHARD]: target, [BATCH]: events }
      for (const event of traced) {
        traces.record(
          eventSpan(event, { name: `${group} ${event.topic}`, service: group, kind: 'consumer', attributes }),
        )
      }
    }),
    called.subscribe(({ group, failed, ...event }) => {
      const name = `${group} ${event.topic} call`
      traces.record(eventSpan(event, { name, service: group, kind: 'client', failed, attributes: { [GROUP]: group } }))
    }),
    parked.subscribe(({ group, state, attempts, error, thrown: _, id, ...event }) => {
      const attributes = { [GROUP]: group, [EVENT_ID]: id, [ERROR]: error, 'groundswell.parked': state, attempts }
      const name = `${group} ${event.topic}`
      keep(event.traceparent, true, () =>
        eventSpan(event, { name, service: group, kind: 'consumer', failed: true, attributes }),
      )
    }),
  ]
  return () => {
    for (const unsubscribe of unsubscribes) unsubscribe()
  }
}

/** Names of attributes, where there are some, by OpenTelemetry's semantic conventions. */
const METHOD = 'http.request.method'
const ROUTE = 'http.route'
const STATUS = 'http.response.status_code'
const TOPIC = 'messaging.destination.name'
const GROUP = 'messaging.consumer.group.name'
const BATCH = 'messaging.batch.message_count'
const EVENT_ID = 'messaging.message.id'
const ERROR = 'error.message'
const SHARD = 'groundswell.shard'

function gatewaySpan(fact: RequestFinished, endpoint: string | undefined): Span {
  const { method, status, requestId, parentSpanId, totalMs, upstreamMs, routeName: route } = fact
  return {
    // Without a traceparent the request went to no service: a trace of its own, as the gateway would have given it.
    traceId: fact.traceparent === undefined ? requestId : traceIdOf(fact.traceparent),
    spanId: fact.traceparent === undefined ? requestId.slice(16) : spanIdOf(fact.traceparent),
    parentSpanId,
    name: endpoint ?? route ?? method,
    service: 'gateway',
    kind: 'server',
    startedAtMs: preciseNow() - totalMs,
    durationMs: totalMs,
    failed: status >= 500,
    attributes: {
      [METHOD]: method,
      [STATUS]: status,
      ...(route === undefined ? {} : { 'kong.route': route }),
      'kong.request_id': requestId,
      ...(upstreamMs === undefined ? {} : { 'kong.upstream_ms': Math.round(upstreamMs * 1_000) / 1_000 }),
    },
  }
}

function serviceSpan({ service, method, path, status, durationMs, traceparent, parent }: RequestFact): Span {
  return {
    ...identityOf(traceparent, parent),
    name: `${method} ${path}`,
    service,
    kind: 'server',
    startedAtMs: preciseNow() - durationMs,
    durationMs,
    failed: status >= 500,
    attributes: { [METHOD]: method, [ROUTE]: path, [STATUS]: status },
  }
}

function eventSpan(
  { topic, traceparent, parent, durationMs }: TracedEvent,
  given: Pick<Span, 'name' | 'service' | 'kind' | 'attributes'> & { readonly failed?: boolean },
): Span {
  return {
    ...identityOf(traceparent, parent),
    startedAtMs: preciseNow() - durationMs,
    durationMs,
    failed: false,
    ...given,
    attributes: { [TOPIC]: topic, ...given.attributes },
  }
}

/** Where a trace is not kept, work has no span id of its own until it fails. */
function identityOf(traceparent: string, parent: string): Pick<Span, 'traceId' | 'spanId' | 'parentSpanId'> {
  return {
    traceId: traceIdOf(traceparent),
    spanId: traceparent === parent ? newSpanId() : spanIdOf(traceparent),
    parentSpanId: spanIdOf(parent),
  }
}

/** `order-service.post-orders` → `POST /orders`. */
function routesByName(app: App): ReadonlyMap<string, string> {
  const routes = app.services.flatMap((service) =>
    namedRoutesOf(service).map(({ name, endpoint }) => [name, `${endpoint.method} ${endpoint.path}`] as const),
  )
  return new Map(routes)
}

function emittersByTopic(app: App): ReadonlyMap<string, string> {
  return new Map(app.services.flatMap(({ name, emits }) => emits.map((event) => [event.name, name] as const)))
}
