import type { Frame, LatencySample, Span, TelemetryView, TraceSummary } from '../telemetry/index.ts'

/**
 * A system made up for the tests of the console: half an hour of a shop under load with a spike, a hot instance, errors
 * and consumers that fall behind. The same for the same seed. Never part of what runs.
 */
export type FixtureView = TelemetryView & {
  /** Makes the next second happen. */
  tick(): Frame
  readonly listeners: number
}

export type FixtureOptions = { readonly startedAtMs: number; readonly seconds?: number; readonly isCalm?: boolean }

const SERVICES = [
  'user-service',
  'user-profile-service',
  'product-service',
  'order-service',
  'payment-service',
  'inventory-service',
  'email-service',
  'shipping-service',
]
const ROUTES: readonly (readonly [service: string, route: string, perSecond: number, ms: number])[] = [
  ['order-service', 'POST /orders', 820, 14],
  ['order-service', 'GET /orders/:orderId', 310, 6],
  ['product-service', 'GET /products', 540, 4],
  ['user-service', 'POST /users', 24, 11],
  ['user-profile-service', 'GET /users/:userId/profile', 96, 7],
]
const LAG: readonly (readonly [topic: string, group: string, weight: number])[] = [
  ['order.placed', 'payment-service', 3],
  ['order.placed', 'inventory-service', 2],
  ['order.placed', 'email-service', 40],
  ['payment.authorized', 'order-service', 2],
  ['stock.reserved', 'order-service', 2],
  ['order.confirmed', 'shipping-service', 5],
]

export function createFixtureView(options: FixtureOptions): FixtureView {
  const { startedAtMs, seconds = 1800, isCalm = false } = options
  const random = sequence(7)
  const frames = Array.from({ length: seconds }, (_, second) => frameOf({ second, startedAtMs, isCalm, random }))
  const listeners = new Set<(frame: Frame) => void>()
  const traces = tracesAt(startedAtMs + seconds * 1000)
  return {
    tick() {
      const frame = frameOf({ second: frames.length, startedAtMs, isCalm, random })
      frames.push(frame)
      for (const listener of listeners) listener(frame)
      return frame
    },
    get listeners() {
      return listeners.size
    },
    history: (sinceMs) => frames.filter((frame) => frame.atMs >= sinceMs),
    subscribe(onFrame) {
      listeners.add(onFrame)
      return () => void listeners.delete(onFrame)
    },
    traces: (limit) => traces.map(summaryOf).slice(0, limit),
    trace: (traceId) => traces.find((spans) => spans[0]?.traceId === traceId) ?? [],
    alerts: () => (isCalm ? [] : [alertAt(startedAtMs + (seconds - 240) * 1000)]),
    degradations: () => [],
    verdict: () =>
      isCalm
        ? { state: 'healthy', sentence: 'All is well: no alert fires, and no consumer is behind.' }
        : { state: 'degraded', sentence: 'POST /orders is slower than usual: P99 34 ms, 62 % above its past hour.' },
  }
}

type Moment = {
  readonly second: number
  readonly startedAtMs: number
  readonly isCalm: boolean
  readonly random: () => number
}

function frameOf({ second, startedAtMs, isCalm, random }: Moment): Frame {
  const around = (value: number) => value * (0.85 + 0.3 * random())
  const wave = 1 + 0.35 * Math.sin(second / 190)
  const slowness = !isCalm && second > 500 && second < 530 ? 9 : 1
  const sample = (perSecond: number, ms: number) => latency(around(perSecond * wave), around(ms * slowness))
  return {
    atMs: startedAtMs + (second + 1) * 1000,
    all: sample(1790, 11),
    routes: ROUTES.map(([service, route, perSecond, ms]) => ({
      ...sample(perSecond, ms),
      service,
      route,
      errors: !isCalm && random() < 0.02 ? 1 : 0,
    })),
    journeys: [{ journey: 'order placed to shipped', ...sample(810, 210) }],
    services: SERVICES.map((service, index) => ({
      service,
      requestsPerSecond: around(220 * wave),
      eventsPerSecond: around(600 * wave),
      httpErrors: !isCalm && index === 3 && random() < 0.05 ? 2 : 0,
      applicationErrors: !isCalm && index === 4 && random() < 0.3 ? 3 : 0,
      databaseErrors: !isCalm && index === 6 && random() < 0.02 ? 1 : 0,
    })),
    instances: [22, 38, 55, 71, 60, 12].map((base, index) => instanceOf(index, { base, wave, random, isCalm, second })),
    traffic: [],
    rejections: [],
    lag: LAG.map(([topic, group, weight]) => {
      const isBehind = !isCalm && group === 'email-service' && second > 1100
      const messages = Math.round(isBehind ? (second - 1100) * 6 : around(weight))
      const writtenPerSecond = around(800 * wave)
      const consumedPerSecond = isBehind ? writtenPerSecond - 6 : writtenPerSecond
      const age = isBehind ? (second - 1100) / 80 : 0.02 * random()
      return { topic, group, messages, seconds: age, writtenPerSecond, consumedPerSecond }
    }),
    shards: [0, 1, 2, 3].map((shard) => ({
      shard,
      transactionsPerSecond: around((shard === 0 ? 640 : 410) * wave),
      transactionP99Ms: around(9 * slowness),
      statementsPerSecond: around(1_900 * wave),
      statementP99Ms: around(4 * slowness),
      connectionsBusy: Math.min(12, Math.round(around(4 * wave * Math.sqrt(slowness)))),
      connectionsMax: 12,
      waiting: slowness > 1 ? Math.round(around(6)) : 0,
    })),
  }
}

function latency(perSecond: number, ms: number): LatencySample {
  return { perSecond: Math.round(perSecond), p50Ms: ms * 0.5, p90Ms: ms * 1.4, p95Ms: ms * 1.9, p99Ms: ms * 3.1 }
}

type Load = Pick<Moment, 'second' | 'isCalm' | 'random'> & { readonly base: number; readonly wave: number }

function instanceOf(index: number, { base, wave, random, isCalm, second }: Load) {
  const isHot = !isCalm && index === 3 && second % 600 > 420
  const cpuPercent = Math.min(100, base * wave * (0.9 + 0.2 * random()) * (isCalm ? 0.6 : 1) + (isHot ? 24 : 0))
  return {
    instance: `pod-${index + 1}:${4100 + index}:${(index * 7919 + 40961).toString(16)}`,
    services: index === 0 ? SERVICES : [SERVICES[index + 2] ?? 'order-service'],
    cpuPercent,
    memoryBytes: (160 + index * 22) * 2 ** 20,
    eventLoopDelayMs: cpuPercent / 9,
    eventLoopUtilization: cpuPercent / 110,
    diskReadBytes: 4096 * index,
    diskWriteBytes: Math.round(700_000 * wave),
    networkInBytes: Math.round(2_100_000 * wave),
    networkOutBytes: Math.round(3_400_000 * wave),
  }
}

function alertAt(sinceMs: number) {
  return {
    id: 'alert-1',
    rule: 'latency-rise' as const,
    state: 'firing' as const,
    subject: 'POST /orders',
    message: 'P99 rose from 21 ms to 34 ms (+62 %) within 5 minutes, from 41,200 requests.',
    sinceMs,
    resolvedAtMs: undefined,
  }
}

function tracesAt(nowMs: number): readonly (readonly Span[])[] {
  return Array.from({ length: 40 }, (_, index) => spansOf(index, nowMs - index * 2_700))
}

/** Name, service, kind, parent and times in milliseconds of each span of an order. */
const SPANS: readonly (readonly [string, string, Span['kind'], number | undefined, number, number])[] = [
  ['POST /orders', 'gateway', 'server', undefined, 0, 16],
  ['POST /orders', 'order-service', 'server', 0, 1.2, 14],
  ['transaction shard 1', 'order-service', 'client', 1, 3, 10.5],
  ['order.placed', 'order-service', 'producer', 2, 12, 1],
  ['payment-service order.placed', 'payment-service', 'consumer', 3, 31, 44],
  ['inventory-service order.placed', 'inventory-service', 'consumer', 3, 29, 18],
  ['email-service order.placed', 'email-service', 'consumer', 3, 34, 22],
  ['order-service payment.authorized', 'order-service', 'consumer', 4, 88, 12],
  ['shipping-service order.confirmed', 'shipping-service', 'consumer', 7, 121, 19],
]

function spansOf(index: number, startedAtMs: number): readonly Span[] {
  const traceId = (index + 1).toString(16).padStart(32, 'a')
  const isFailed = index % 9 === 4
  return SPANS.map(([name, service, kind, parent, at, durationMs], position) => ({
    traceId,
    spanId: position.toString(16).padStart(16, '0'),
    parentSpanId: parent === undefined ? undefined : parent.toString(16).padStart(16, '0'),
    name,
    service,
    kind,
    startedAtMs: startedAtMs + at,
    durationMs: durationMs * (1 + (index % 5) / 4),
    failed: isFailed && service === 'payment-service',
    attributes: kind === 'server' ? { 'http.response.status_code': 202, 'url.path': '/orders' } : { shard: 1 },
  }))
}

function summaryOf(spans: readonly Span[]): TraceSummary {
  const [first] = spans
  return {
    traceId: first?.traceId ?? '',
    name: first?.name ?? '',
    startedAtMs: first?.startedAtMs ?? 0,
    durationMs: Math.max(...spans.map((span) => span.startedAtMs + span.durationMs)) - (first?.startedAtMs ?? 0),
    spans: spans.length,
    services: [...new Set(spans.map((span) => span.service))],
    failed: spans.some((span) => span.failed),
  }
}

/** Numbers from 0 to 1 that look random and are the same each time: a linear congruential generator. */
function sequence(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}
