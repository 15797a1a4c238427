import { beginAttempt } from '../attempts.ts'
import type { Exchange } from '../exchange.ts'
import type { Address } from './address.ts'
import type { BalancedDestination } from './destination.ts'
import { hashKeyOf } from './hash-key.ts'
import type { AttemptResult } from './health-counters.ts'

/**
 * The addresses of one request, chosen one attempt after the other, and what became of each attempt. An attempt goes:
 * chosen → answered or failed → ended; both steps are taken once, whatever is reported later.
 */
export class Selection {
  readonly destination: BalancedDestination
  readonly #exchange: Exchange
  readonly #key: number | undefined
  #tried: Address[] | undefined
  #address: Address | undefined
  /** The address of the attempt before. */
  #last: Address | undefined
  #trial = 0
  #startedAtMs = 0
  #isJudged = false

  constructor(destination: BalancedDestination, exchange: Exchange) {
    const { upstream, budget } = destination.balancer
    this.destination = destination
    this.#exchange = exchange
    this.#key = upstream.algorithm === 'consistent-hashing' ? hashKeyOf(upstream, exchange) : undefined
    if (upstream.retry !== null) budget.deposit(performance.now())
  }

  /** The address of the next attempt, which is under way from now on; undefined when there is none to ask. */
  next(): Address | undefined {
    this.ended()
    if (this.#last !== undefined) this.#tried = [...(this.#tried ?? []), this.#last]
    const nowMs = performance.now()
    const address = this.destination.balancer.pick(nowMs, this.#key, this.#tried)
    if (address === undefined) return undefined
    this.#address = address
    this.#trial = address.breaker?.began() ?? 0
    this.#startedAtMs = nowMs
    this.#isJudged = false
    address.inFlight += 1
    beginAttempt(this.#exchange, address.place, nowMs)
    if (!this.#exchange.target?.route.preserve_host) this.#exchange.headers.host = this.destination.hostAt(address)
    return address
  }

  /** The head of an answer came. */
  answered(status: number): void {
    const nowMs = performance.now()
    const address = this.#judge({ status })
    if (address === undefined) return
    address.latency.observe(nowMs - this.#startedAtMs, nowMs)
    const isFailure = this.#breaker?.http_statuses.includes(status) === true
    if (isFailure) address.breaker?.failed(nowMs, this.#trial)
    else address.breaker?.succeeded(nowMs, this.#trial)
  }

  /** No answer came, and that is the address's fault. */
  failed(how: 'tcp-failure' | 'timeout'): void {
    const nowMs = performance.now()
    const address = this.#judge(how)
    if (address === undefined) return
    address.latency.observeFailure(nowMs)
    address.breaker?.failed(nowMs, this.#trial)
  }

  /** The attempt is over, or nobody waits for it any more. */
  ended(): void {
    const address = this.#address
    if (address === undefined) return
    this.#address = undefined
    this.#last = address
    address.inFlight -= 1
    if (!this.#isJudged) address.breaker?.abandoned(this.#trial)
  }

  /** The address of the attempt that is under way, or else of the one before. */
  get asked(): Address | undefined {
    return this.#address ?? this.#last
  }

  /** Whether an answer of this status is to be asked for again, by the upstream's choice. */
  retriesStatus(status: number): boolean {
    const { retry } = this.destination.balancer.upstream
    if (retry === null || !retry.http_statuses.includes(status)) return false
    return retry.methods.includes(this.#exchange.request.method ?? '')
  }

  /** Whether what an address had already got may be sent again. Each yes is taken from the budget. */
  mayRepeat(): boolean {
    const { upstream, budget } = this.destination.balancer
    return upstream.retry === null || budget.withdraw(performance.now(), upstream.retry)
  }

  get #breaker() {
    return this.destination.balancer.upstream.circuit_breaker
  }

  #judge(result: AttemptResult): Address | undefined {
    const address = this.#address
    if (address === undefined || this.#isJudged) return undefined
    this.#isJudged = true
    this.destination.balancer.observed(address, result)
    return address
  }
}
