import { ROUTES_MAX, SUBJECTS_MAX } from './limits.ts'
import { GatewayMeter, JourneyMeter, RouteMeter, ServiceMeter, ShardMeter } from './meters.ts'
import type { Metrics } from './metrics/catalog.ts'
import { OVERFLOW } from './metrics/metric.ts'
import type { Second } from './second.ts'
import { TrafficMeter } from './traffic.ts'
import type { InstanceSample, LagSample } from './view.ts'

/** The meters of one process. Those asked for beyond the limits share one, so that memory is bounded. */
export class Recorder {
  readonly gateway: GatewayMeter
  readonly traffic = new TrafficMeter()
  readonly #metrics: Metrics
  readonly #routes = new Map<string, Map<string, RouteMeter>>()
  readonly #services = new Map<string, ServiceMeter>()
  readonly #shards = new Map<number, ShardMeter>()
  readonly #journeys = new Map<string, JourneyMeter>()
  #lag: readonly LagSample[] = []
  #routeCount = 0

  constructor(metrics: Metrics) {
    this.#metrics = metrics
    this.gateway = new GatewayMeter(metrics)
  }

  /** `route` is a method and a path with the names of its parameters, never a path that a client sent. */
  route(service: string, route: string): RouteMeter {
    const routes = this.#routes.get(service)
    const known = routes?.get(route)
    if (known !== undefined) return known
    if (this.#routeCount >= ROUTES_MAX && route !== OVERFLOW) return this.route(OVERFLOW, OVERFLOW)
    const meter = new RouteMeter(service, route, this.#metrics)
    this.#routeCount += 1
    if (routes === undefined) this.#routes.set(service, new Map([[route, meter]]))
    else routes.set(route, meter)
    return meter
  }

  service(service: string): ServiceMeter {
    return keep(this.#services, service, () => new ServiceMeter(service, this.#metrics)) ?? this.service(OVERFLOW)
  }

  shard(shard: number): ShardMeter {
    return keep(this.#shards, shard, () => new ShardMeter(shard, this.#metrics)) ?? this.shard(-1)
  }

  journey(journey: string): JourneyMeter {
    return keep(this.#journeys, journey, () => new JourneyMeter(journey, this.#metrics)) ?? this.journey(OVERFLOW)
  }

  /** How far behind consumer groups are, until the next call. */
  lag(samples: readonly LagSample[]): void {
    const { lagEvents, lagSeconds } = this.#metrics
    this.#lag = samples
    lagEvents.clear()
    lagSeconds.clear()
    for (const { topic, group, messages, seconds } of samples) {
      lagEvents.series(topic, group).set(messages)
      lagSeconds.series(topic, group).set(seconds)
    }
  }

  /** What was recorded since the last time. */
  seal(atMs: number, instance: InstanceSample): Omit<Second, 'degradations'> {
    const sealed = [...this.#routes.values()].flatMap((routes) => [...routes.values()].map((route) => route.seal()))
    const routes = sealed.filter((route) => route !== undefined)
    const perService = new Map<string, { requests: number; errors: number }>()
    for (const { service, requests, errors } of routes) {
      const sum = perService.get(service) ?? { requests: 0, errors: 0 }
      perService.set(service, { requests: sum.requests + requests, errors: sum.errors + errors })
      this.service(service)
    }
    const services = [...this.#services.values()].map((meter) =>
      meter.seal(perService.get(meter.service) ?? { requests: 0, errors: 0 }),
    )
    return {
      atMs,
      all: this.gateway.seal(),
      routes: routes.map(({ requests: _, ...route }) => route),
      journeys: [...this.#journeys.values()].map((meter) => meter.seal()).filter((journey) => journey !== undefined),
      services: services.filter((service) => service !== undefined),
      shards: [...this.#shards.values()].map((meter) => meter.seal()),
      instances: [instance],
      lag: this.#lag,
      ...this.traffic.seal(),
    }
  }
}

/** The meter of a name, made on first use; undefined beyond the limit. */
function keep<Name extends string | number, Meter>(
  meters: Map<Name, Meter>,
  name: Name,
  create: () => Meter,
): Meter | undefined {
  const known = meters.get(name)
  if (known !== undefined) return known
  if (meters.size >= SUBJECTS_MAX && name !== OVERFLOW && name !== -1) return undefined
  const meter = create()
  meters.set(name, meter)
  return meter
}
