import type { LocalUpstream } from '../upstream.ts'
import type { CircuitBreaker } from './circuit-breaker.ts'
import { hashOf } from './hash.ts'
import { HealthCounters } from './health-counters.ts'
import { PeakEwma } from './peak-ewma.ts'

/** Where an address is. */
export type AddressPlace = {
  /** The target it is of, `host:port`. */
  readonly target: string
  readonly host: string
  readonly port: number
  /** What the host resolves to, if it had to be. */
  readonly ip: string
  /** The service in this process that answers there, or the origin of one of the application elsewhere. */
  readonly local?: LocalUpstream
  readonly origin?: string
}

/** One address of a target: what is known of it, and what goes on there. Lives as long as its target resolves to it. */
export class Address {
  readonly place: AddressPlace
  /** `ip:port`, by which operators name it. */
  readonly name: string
  /** The same for the same target and address in every process. */
  readonly hash: number
  readonly health = new HealthCounters()
  readonly latency = new PeakEwma()
  weight: number
  breaker: CircuitBreaker | undefined = undefined
  /** Requests under way. */
  inFlight = 0
  /** What round robin owes it. */
  credit = 0

  constructor(place: AddressPlace, weight: number) {
    this.place = place
    this.name = place.ip.includes(':') ? `[${place.ip}]:${place.port}` : `${place.ip}:${place.port}`
    this.hash = hashOf(`${place.target} ${place.ip}`)
    this.weight = weight
  }
}
