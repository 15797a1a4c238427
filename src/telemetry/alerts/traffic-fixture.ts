import { Histogram } from '../histogram.ts'
import type { EncodedHistogram } from '../histogram-encoding.ts'
import type { AlertSecond } from './alerts.ts'

/** Deterministic numbers in 0..1, so that a failure can be run again. Source: B. Jenkins' small fast generator. */
export function randomOf(seed: number): () => number {
  let [a, b, c, d] = [0xf1ea5eed, seed | 0, seed | 0, seed | 0]
  const next = () => {
    const e = (a - ((b << 27) | (b >>> 5))) | 0
    a = b ^ ((c << 17) | (c >>> 15))
    b = (c + d) | 0
    c = (d + e) | 0
    d = (e + a) | 0
    return (d >>> 0) / 2 ** 32
  }
  for (let round = 0; round < 20; round++) next()
  return next
}

/** Simulated latencies: lognormal, as those of most services are. */
export type Traffic = {
  readonly perSecond: number
  readonly medianMs?: number
  readonly sigma?: number
  /** What every latency is multiplied with. */
  readonly factor?: number
}

const TAIL_SHARE = 0.1
const TAIL_POINTS = 65_536
const TAIL = Float64Array.from({ length: TAIL_POINTS }, (_, index) =>
  normalQuantile(1 - TAIL_SHARE + (TAIL_SHARE * (index + 0.5)) / TAIL_POINTS),
)

const scratch = new Histogram()

/** Up to so many latencies are all drawn. */
const DRAWN_MAX = 200

/**
 * Latencies of `seconds` seconds in microseconds. Of many, only the slowest tenth is drawn value by value, and the
 * others are one value below: nothing that reads a P99 can tell, and a day of traffic takes seconds.
 */
export function latenciesOf(traffic: Traffic, seconds: number, random: () => number): EncodedHistogram {
  const { perSecond, medianMs = 20, sigma = 0.9, factor = 1 } = traffic
  const median = medianMs * factor * 1_000
  const count = poisson(perSecond * seconds, random)
  scratch.reset()
  if (count <= DRAWN_MAX) {
    for (let drawn = 0; drawn < count; drawn++) scratch.record(median * Math.exp(sigma * normal(random)))
    return scratch.encode()
  }
  const tail = Math.min(count, poisson(count * TAIL_SHARE, random))
  for (let drawn = 0; drawn < tail; drawn++) {
    scratch.record(median * Math.exp(sigma * (TAIL[Math.floor(random() * TAIL_POINTS)] ?? 0)))
  }
  for (let drawn = tail; drawn < count; drawn++) scratch.record(median)
  return scratch.encode()
}

export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Counts of independent arrivals; beyond 50 by the normal approximation. */
function poisson(mean: number, random: () => number): number {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)))
  const limit = Math.exp(-mean)
  let count = 0
  for (let product = random(); product > limit; product *= random()) count += 1
  return count
}

/** Bisection of the normal distribution's integral, which is summed once. */
function normalQuantile(fraction: number): number {
  let [low, high] = [-9, 9]
  for (let round = 0; round < 60; round++) {
    const middle = (low + high) / 2
    if (normalShareBelow(middle) < fraction) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** Source: M. Abramowitz, I. A. Stegun, Handbook of Mathematical Functions, 26.2.17; error below 7.5 · 10⁻⁸. */
function normalShareBelow(value: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(value))
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  const above = (Math.exp((-value * value) / 2) / Math.sqrt(2 * Math.PI)) * series
  return value >= 0 ? 1 - above : above
}

/** A second with the latencies of some routes, and nothing else. */
export function routesSecond(atMs: number, routes: Readonly<Record<string, EncodedHistogram>>): AlertSecond {
  const latencies = Object.entries(routes)
  return {
    ...QUIET,
    atMs,
    routes: latencies.map(([route, latency]) => ({ service: 'order-service', route, latency, errors: 0 })),
  }
}

/** A second with nothing in it, but for `atMs`. */
export const QUIET = {
  all: undefined,
  routes: [],
  journeys: [],
  services: [],
  lag: [],
  traffic: [],
  rejections: [],
} as const

/** When simulations begin: 2026-01-05, 09:00:00 UTC. */
export const START_MS = Date.UTC(2026, 0, 5, 9)
