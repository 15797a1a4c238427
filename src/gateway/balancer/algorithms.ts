import type { Random } from '../../core/index.ts'
import type { Address } from './address.ts'
import { mixed } from './hash.ts'
import { LATENCY_OF_FAILURE_MS } from './limits.ts'

/** How one of several addresses is chosen. All take at least one candidate, each of a weight above 0. */

/**
 * Round robin by weight that spreads an address's turns evenly: 5:1:1 goes a a b a c a a, not a a a a a b c. Over as
 * many requests as the weights sum up to, exact. Source: nginx, smooth weighted round-robin balancing.
 */
export function smoothRoundRobin(candidates: readonly Address[]): Address {
  let [best] = candidates as [Address]
  let total = 0
  for (const address of candidates) {
    address.credit += address.weight
    total += address.weight
    if (address.credit > best.credit) best = address
  }
  best.credit -= total
  return best
}

/** The address with the fewest requests under way for its weight; among equals they take turns. */
export function leastConnections(candidates: readonly Address[]): Address {
  const loadOf = ({ inFlight, weight }: Address) => (inFlight + 1) / weight
  const least = Math.min(...candidates.map(loadOf))
  return smoothRoundRobin(candidates.filter((address) => loadOf(address) === least))
}

/**
 * Of two addresses drawn by weight, the one that would answer sooner by its latency and what it has to do. Two drawn
 * rather than the best of all, since all gateways would rush to that one. Source: Mitzenmacher, The Power of Two
 * Choices; Finagle, PeakEwma.
 */
export function powerOfTwoChoices(candidates: readonly Address[], random: Random): Address {
  const first = drawn(candidates, random)
  const others = candidates.filter((address) => address !== first)
  if (others.length === 0) return first
  const second = drawn(others, random)
  return costOf(second) < costOf(first) ? second : first
}

/** What has never answered is tried, but not by everyone at once. */
function costOf({ latency, inFlight }: Address): number {
  return latency.averageMs === 0 ? inFlight * LATENCY_OF_FAILURE_MS : latency.averageMs * (inFlight + 1)
}

function drawn(candidates: readonly Address[], random: Random): Address {
  const total = candidates.reduce((sum, { weight }) => sum + weight, 0)
  let left = random() * total
  for (const address of candidates) {
    left -= address.weight
    if (left < 0) return address
  }
  return candidates.at(-1) as Address
}

/**
 * The address that wins a key's lottery, in which each has tickets by its weight. A key moves only when its winner goes
 * or when a new address wins it, exactly; so there is no ring, and no slots to tune. Source: Thaler and Ravishankar, A
 * Name-Based Mapping Scheme for Rendezvous; Schindelhauer and Schomaker, Weighted Distributed Hash Tables.
 */
export function rendezvous(candidates: readonly Address[], key: number): Address {
  let [best] = candidates as [Address]
  let bestScore = Number.NEGATIVE_INFINITY
  for (const address of candidates) {
    const share = (mixed((key + address.hash) | 0) + 0.5) / 2 ** 32
    const score = address.weight / -Math.log(share)
    if (score > bestScore) {
      best = address
      bestScore = score
    }
  }
  return best
}
