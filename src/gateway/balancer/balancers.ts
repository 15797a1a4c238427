import type { GatewayConfig } from '../config/entities.ts'
import { Balancer, type BalancerEnvironment, isAbove, isChecked, type Weight, weightOf } from './balancer.ts'
import type { BreakerState } from './circuit-breaker.ts'

/** What this gateway knows of the targets of its upstreams. */
export type UpstreamHealth = {
  /** Undefined while the gateway has not heard of the upstream. */
  of(upstreamId: string): UpstreamState | undefined
  /**
   * Declares a target, or one address (`ip:port`) of it, healthy or not, until checks find otherwise. Only for this
   * gateway. False when it has no such target or address.
   */
  set(place: { upstreamId: string; target: string; address: string | undefined }, healthy: boolean): boolean
}

export type UpstreamState = {
  /** Whether any health check is on. */
  readonly isChecked: boolean
  /** Whether more of its weight is available than its threshold. */
  readonly isHealthy: boolean
  readonly weight: Weight
  readonly targets: readonly TargetStatus[]
}

export type TargetStatus = {
  /** `host:port`. */
  readonly name: string
  readonly host: string
  readonly port: number
  readonly nodeWeight: number
  readonly weight: Weight
  /** Why its name has no addresses. */
  readonly problem: string | undefined
  readonly addresses: readonly AddressState[]
}

export type AddressState = {
  readonly ip: string
  readonly port: number
  readonly weight: number
  readonly isHealthy: boolean
  /** Requests under way there, from this gateway. */
  readonly inFlight: number
  /** Undefined without a circuit breaker. */
  readonly breaker: BreakerState | undefined
}

/** The balancers of all upstreams of the configuration. */
export class Balancers implements UpstreamHealth {
  readonly #environment: BalancerEnvironment
  readonly #byId = new Map<string, Balancer>()
  #byName: ReadonlyMap<string, Balancer> = new Map()

  constructor(environment: BalancerEnvironment) {
    this.#environment = environment
  }

  /** Makes, changes and stops balancers so that they are those of `config`. */
  update({ upstreams, targets }: Pick<GatewayConfig, 'upstreams' | 'targets'>): void {
    const ids = new Set(upstreams.map(({ id }) => id))
    for (const [id, balancer] of this.#byId) if (!ids.has(id)) this.#drop(id, balancer)
    const targetsOf = Map.groupBy(targets, ({ upstream }) => upstream.id)
    for (const upstream of upstreams) {
      const balancer = this.#byId.get(upstream.id) ?? new Balancer(upstream, this.#environment)
      this.#byId.set(upstream.id, balancer)
      balancer.update(upstream, targetsOf.get(upstream.id) ?? [])
    }
    this.#byName = new Map([...this.#byId.values()].map((balancer) => [balancer.upstream.name.toLowerCase(), balancer]))
  }

  /** The balancer of a service with this host. */
  named(host: string): Balancer | undefined {
    return this.#byName.get(host.toLowerCase())
  }

  stop(): void {
    for (const [id, balancer] of this.#byId) this.#drop(id, balancer)
  }

  of(upstreamId: string): UpstreamState | undefined {
    const balancer = this.#byId.get(upstreamId)
    return balancer && stateOf(balancer)
  }

  set({ upstreamId, target, address }: Parameters<UpstreamHealth['set']>[0], healthy: boolean): boolean {
    return this.#byId.get(upstreamId)?.setHealth(target, address, healthy) === true
  }

  #drop(id: string, balancer: Balancer): void {
    balancer.stop()
    this.#byId.delete(id)
  }
}

function stateOf(balancer: Balancer): UpstreamState {
  const weight = weightOf(balancer.addresses())
  return {
    isChecked: isChecked(balancer.upstream),
    isHealthy: isAbove(weight, balancer.upstream.healthchecks.threshold),
    weight,
    targets: [...balancer.entries].map(({ name, host, port, weight: nodeWeight, problem, addresses }) => ({
      name,
      host,
      port,
      nodeWeight,
      problem,
      weight: weightOf(addresses),
      addresses: addresses.map(({ place, weight, health, breaker, inFlight }) => ({
        ip: place.ip,
        port: place.port,
        weight,
        isHealthy: health.healthy,
        inFlight,
        breaker: breaker?.state,
      })),
    })),
  }
}
