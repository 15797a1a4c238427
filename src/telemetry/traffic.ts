import { Histogram } from './histogram.ts'
import { TRAFFIC_SUBJECTS_MAX } from './limits.ts'
import { OVERFLOW } from './metrics/metric.ts'
import type { RejectionSecond, TrafficKind, TrafficSecond } from './second.ts'

type TrafficRequest = {
  readonly status: number
  readonly totalMs: number
  readonly serviceName?: string | undefined
}

/**
 * The traffic of one process's gateway by service, route and consumer, and what plugins refused. These are entities of
 * its configuration, which others create, and many of them: of each kind the first TRAFFIC_SUBJECTS_MAX of a second
 * are told apart, the rest share one. Whoever has been idle for a second makes room, so it is never the first ever
 * seen who keep theirs.
 */
export class TrafficMeter {
  readonly #subjects: Readonly<Record<TrafficKind, Map<string, SubjectMeter>>> = {
    service: new Map(),
    route: new Map(),
    consumer: new Map(),
  }
  #rejections = new Map<string, number>()

  /** `id` of the entity; empty for requests that have none, such as those that no route matched. */
  record(kind: TrafficKind, id: string, request: TrafficRequest): void {
    const meter = this.#subjects[kind].get(id) ?? this.#meterOf(kind, id)
    // Each time, since whoever configures the gateway may rename a service, and not for those that share one.
    if (kind === 'service' && meter.id !== OVERFLOW) meter.name = request.serviceName ?? ''
    meter.record(request.status, request.totalMs)
  }

  /** A plugin, by its id, answered with an error in place of the service. */
  rejected(plugin: string): void {
    const known = this.#rejections.has(plugin) || this.#rejections.size < TRAFFIC_SUBJECTS_MAX
    const id = known ? plugin : OVERFLOW
    this.#rejections.set(id, (this.#rejections.get(id) ?? 0) + 1)
  }

  seal(): { readonly traffic: readonly TrafficSecond[]; readonly rejections: readonly RejectionSecond[] } {
    const rejections = [...this.#rejections].map(([plugin, requests]) => ({ plugin, requests }))
    this.#rejections = new Map()
    const traffic = (['service', 'route', 'consumer'] as const).flatMap((kind) => this.#sealKind(kind))
    return { traffic, rejections }
  }

  #sealKind(kind: TrafficKind): readonly TrafficSecond[] {
    const meters = this.#subjects[kind]
    const isFull = meters.size > TRAFFIC_SUBJECTS_MAX
    return [...meters].flatMap(([id, meter]) => {
      const sealed = meter.seal()
      if (sealed !== undefined) return [{ kind, id, ...sealed }]
      if (isFull) meters.delete(id)
      return []
    })
  }

  #meterOf(kind: TrafficKind, id: string): SubjectMeter {
    const meters = this.#subjects[kind]
    // One more than the limit: that which the rest share.
    if (meters.size >= TRAFFIC_SUBJECTS_MAX && id !== OVERFLOW) {
      return meters.get(OVERFLOW) ?? this.#meterOf(kind, OVERFLOW)
    }
    const meter = new SubjectMeter(id)
    meters.set(id, meter)
    return meter
  }
}

const MICROS = 1_000

class SubjectMeter {
  readonly id: string
  name = ''
  readonly #latency = new Histogram()
  readonly #statuses = new Map<number, number>()

  constructor(id: string) {
    this.id = id
  }

  record(status: number, durationMs: number): void {
    this.#latency.record(durationMs * MICROS)
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1)
  }

  /** Undefined without a request since the last time. */
  seal(): Pick<TrafficSecond, 'name' | 'latency' | 'statuses'> | undefined {
    const latency = this.#latency.take()
    if (latency === undefined) return undefined
    const statuses = Object.fromEntries(this.#statuses)
    this.#statuses.clear()
    return { name: this.name, latency, statuses }
  }
}
