import type { Random } from '../../core/index.ts'
import { type TargetState, targetChanged } from '../channels.ts'
import type { TargetEntity, UpstreamEntity } from '../config/upstream-entities.ts'
import type { Address } from './address.ts'
import { AddressBook, type AddressBookOptions, type TargetEntry } from './address-book.ts'
import { leastConnections, powerOfTwoChoices, rendezvous, smoothRoundRobin } from './algorithms.ts'
import { CircuitBreaker } from './circuit-breaker.ts'
import type { AttemptResult, CheckResult, HealthThresholds } from './health-counters.ts'
import { type ProbeResult, Prober } from './prober.ts'
import { RetryBudget } from './retry-budget.ts'

export type BalancerEnvironment = Pick<AddressBookOptions, 'resolve' | 'resolveName'> & {
  readonly random: Random
  /** An upstream has other addresses than before. */
  readonly changed: () => void
}

/**
 * Chooses among the addresses of one upstream, and keeps what is known of them: health by checks and by requests,
 * circuit breakers, loads and latencies. All of it outlives changes of the configuration.
 */
export class Balancer {
  readonly #environment: BalancerEnvironment
  readonly #book: AddressBook
  readonly #prober: Prober
  readonly budget = new RetryBudget()
  #upstream: UpstreamEntity
  #targets: readonly TargetEntity[] = []
  /** Healthy addresses with a weight; none when the upstream as a whole is below its threshold. */
  #candidates: readonly Address[] = []
  /** Targets by name whose name did not resolve, of which was told. */
  readonly #unresolved = new Set<string>()

  constructor(upstream: UpstreamEntity, environment: BalancerEnvironment) {
    this.#upstream = upstream
    this.#environment = environment
    const { resolve, resolveName } = environment
    this.#book = new AddressBook({ resolve, resolveName, changed: () => this.#addressesChanged() })
    this.#prober = new Prober({
      addresses: () => this.#book.addresses().filter((address) => address.place.local === undefined),
      found: (address, result) => this.#checked(address, result),
    })
  }

  get upstream(): UpstreamEntity {
    return this.#upstream
  }

  get entries(): Iterable<TargetEntry> {
    return this.#book.entries
  }

  /** Follows the configuration. Costs nothing when it is the same. */
  update(upstream: UpstreamEntity, targets: readonly TargetEntity[]): void {
    const before = this.#upstream
    if (upstream === before && targets.length > 0 && sameItems(targets, this.#targets)) return
    this.#upstream = upstream
    this.#targets = targets
    this.#book.update(targets)
    const isUnchecked = isChecked(before) && !isChecked(upstream)
    if (isUnchecked) for (const address of this.#book.addresses()) address.health.set(true)
    this.#equip()
    this.#prober.follow(upstream)
  }

  stop(): void {
    this.#book.stop()
    this.#prober.stop()
  }

  addresses(): readonly Address[] {
    return this.#book.addresses()
  }

  whenResolved(): Promise<unknown> | undefined {
    return this.#book.whenResolved()
  }

  /**
   * The address for one attempt, preferably none of those `tried`; undefined when no address is usable. `key`: what
   * consistent hashing goes by.
   */
  pick(nowMs: number, key: number | undefined, tried: readonly Address[] = []): Address | undefined {
    const usable =
      this.#upstream.circuit_breaker === null
        ? this.#candidates
        : this.#candidates.filter(({ breaker }) => breaker === undefined || breaker.admits(nowMs))
    const untried = tried.length === 0 ? usable : usable.filter((address) => !tried.includes(address))
    const candidates = untried.length > 0 ? untried : usable
    if (candidates.length <= 1) return candidates[0]
    return this.#choose(candidates, key)
  }

  /** Whether an attempt would find an address. */
  isUsable(nowMs: number): boolean {
    return this.#candidates.some(({ breaker }) => breaker === undefined || breaker.admits(nowMs))
  }

  /** Passive checks: what became of an attempt counts. */
  observed(address: Address, result: AttemptResult): void {
    const { passive } = this.#upstream.healthchecks
    const { healthy, unhealthy } = passive
    const thresholds = thresholdsOf(healthy, unhealthy)
    const checked = typeof result === 'string' ? result : resultOf(result.status, healthy, unhealthy)
    if (checked !== undefined) this.#report(address, checked, thresholds)
  }

  /** By an operator's word. With `ip:port` only that address; false when there is no such target or address. */
  setHealth(target: string, addressName: string | undefined, healthy: boolean): boolean {
    const addresses = this.#book.entry(target)?.addresses ?? []
    const meant = addresses.filter(({ name }) => addressName === undefined || name === addressName)
    for (const address of meant) if (address.health.set(healthy)) this.#healthChanged(address)
    return meant.length > 0
  }

  #choose(candidates: readonly Address[], key: number | undefined): Address {
    switch (this.#upstream.algorithm) {
      case 'least-connections':
        return leastConnections(candidates)
      case 'latency':
        return powerOfTwoChoices(candidates, this.#environment.random)
      case 'consistent-hashing':
        return key === undefined ? smoothRoundRobin(candidates) : rendezvous(candidates, key)
      default:
        return smoothRoundRobin(candidates)
    }
  }

  #checked(address: Address, found: ProbeResult): void {
    const { healthy, unhealthy } = this.#upstream.healthchecks.active
    const result = typeof found === 'string' ? found : resultOf(found.status, healthy, unhealthy)
    if (result !== undefined) this.#report(address, result, thresholdsOf(healthy, unhealthy))
  }

  #report(address: Address, result: CheckResult, thresholds: HealthThresholds): void {
    if (address.health.report(result, thresholds)) this.#healthChanged(address)
  }

  #healthChanged(address: Address): void {
    this.#recount()
    this.#publish(address, address.health.healthy ? 'healthy' : 'unhealthy')
  }

  #addressesChanged(): void {
    this.#equip()
    this.#environment.changed()
    for (const entry of this.#book.entries) {
      const isNews = (entry.problem !== undefined) !== this.#unresolved.has(entry.name)
      if (!isNews) continue
      if (entry.problem === undefined) this.#unresolved.delete(entry.name)
      else this.#unresolved.add(entry.name)
      const state = entry.problem === undefined ? 'resolved' : 'unresolved'
      targetChanged.publish({ upstream: this.#upstream.name, target: entry.name, address: '', state })
    }
  }

  /** Gives every address the circuit breaker that the configuration asks for. */
  #equip(): void {
    const config = this.#upstream.circuit_breaker
    for (const address of this.#book.addresses()) {
      if (config === null) address.breaker = undefined
      else if (address.breaker !== undefined) address.breaker.configure(config)
      else address.breaker = new CircuitBreaker(config, (state) => this.#publish(address, state))
    }
    this.#recount()
  }

  #recount(): void {
    const weight = weightOf(this.#book.addresses())
    const isUp = weight.available > 0 && isAbove(weight, this.#upstream.healthchecks.threshold)
    this.#candidates = isUp ? this.#book.addresses().filter(isAvailable) : []
  }

  #publish(address: Address, state: TargetState): void {
    targetChanged.publish({
      upstream: this.#upstream.name,
      target: address.place.target,
      address: address.name,
      state,
    })
  }
}

export type Weight = { readonly total: number; readonly available: number; readonly unavailable: number }

export function weightOf(addresses: readonly Address[]): Weight {
  const total = addresses.reduce((sum, { weight }) => sum + weight, 0)
  const available = addresses.filter(isAvailable).reduce((sum, { weight }) => sum + weight, 0)
  return { total, available, unavailable: total - available }
}

/** Strictly more than the threshold, as in Kong: with 100 an upstream never is. */
export function isAbove({ available, total }: Weight, threshold: number): boolean {
  return total > 0 && (available / total) * 100 > threshold
}

/** Whether any check is on that could find an address unhealthy. */
export function isChecked({ healthchecks: { active, passive } }: UpstreamEntity): boolean {
  const { tcp_failures, timeouts, http_failures } = passive.unhealthy
  return active.healthy.interval + active.unhealthy.interval + tcp_failures + timeouts + http_failures > 0
}

const isAvailable = ({ health, weight }: Address) => health.healthy && weight > 0

type Rules = Pick<UpstreamEntity['healthchecks']['passive'], 'healthy' | 'unhealthy'>

function thresholdsOf(healthy: Rules['healthy'], unhealthy: Rules['unhealthy']): HealthThresholds {
  return {
    successes: healthy.successes,
    httpFailures: unhealthy.http_failures,
    tcpFailures: unhealthy.tcp_failures,
    timeouts: unhealthy.timeouts,
  }
}

/** A status in neither list says nothing. */
function resultOf(status: number, healthy: Rules['healthy'], unhealthy: Rules['unhealthy']): CheckResult | undefined {
  if (healthy.http_statuses.includes(status)) return 'success'
  return unhealthy.http_statuses.includes(status) ? 'http-failure' : undefined
}

function sameItems<T>(left: readonly T[], right: readonly T[]): boolean {
  return left.length === right.length && left.every((item, index) => item === right[index])
}
