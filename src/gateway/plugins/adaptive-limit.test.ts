import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AdaptiveLimit } from './adaptive-limit.ts'

type Service = { readonly workers: number; serviceMs: number }
type Load = { readonly perSecond: number; readonly forMs: number; readonly fromMs?: number }
type Outcome = { readonly atMs: number; readonly latencyMs: number }

/**
 * A service with so many workers and a queue, in simulated time: requests arrive evenly, wait for a worker, and are
 * answered. Answers what was served, and how many were refused.
 */
function simulate(service: Service, limit: AdaptiveLimit | undefined, load: Load) {
  const served: Outcome[] = []
  const leaving: Outcome[] = []
  const freeAtMs = Array.from({ length: service.workers }, () => 0)
  let refused = 0
  let left = 0
  const depart = (nowMs: number) => {
    // All take the same time, so that they leave in the order in which they came.
    for (; (leaving[left]?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs; left++) {
      const outcome = leaving[left] as Outcome
      limit?.leave(outcome.latencyMs, outcome.atMs)
      served.push(outcome)
    }
  }
  const fromMs = load.fromMs ?? 0
  for (let nowMs = fromMs; nowMs < fromMs + load.forMs; nowMs += 1_000 / load.perSecond) {
    depart(nowMs)
    if (limit !== undefined && !limit.tryEnter(1)) {
      refused += 1
      continue
    }
    const worker = freeAtMs.indexOf(Math.min(...freeAtMs))
    const doneAtMs = Math.max(nowMs, freeAtMs[worker] ?? 0) + service.serviceMs
    freeAtMs[worker] = doneAtMs
    leaving.push({ atMs: doneAtMs, latencyMs: doneAtMs - nowMs })
  }
  depart(Number.MAX_VALUE)
  return { served, refused }
}

const percentile = (outcomes: readonly Outcome[], share: number) => {
  const sorted = outcomes.map((outcome) => outcome.latencyMs).sort((left, right) => left - right)
  return sorted[Math.floor(sorted.length * share)] ?? 0
}

const RULES = { min: 4, max: 1_000, initial: 20, tolerance: 1.5 }
const SERVICE = { workers: 10, serviceMs: 10 }

test('at twice what a service can do, latency stays near the unloaded one and nothing of its capacity is lost', () => {
  const overload = { perSecond: 2_000, forMs: 20_000 }
  const unprotected = simulate({ ...SERVICE }, undefined, overload)
  assert.ok(percentile(unprotected.served, 0.99) > 5_000, 'without a limit the queue grows for as long as it lasts')

  const { served, refused } = simulate({ ...SERVICE }, new AdaptiveLimit(RULES), overload)
  const settled = served.filter((outcome) => outcome.atMs > 5_000 && outcome.atMs <= 20_000)
  assert.ok(percentile(settled, 0.99) < 40, `P99 of ${percentile(settled, 0.99)} ms`)
  assert.ok(settled.length > 0.95 * 15 * 1_000, `${settled.length} served in 15 s of the 15,000 possible`)
  assert.ok(refused > 15_000)
})

test('below its capacity nothing is refused', () => {
  const { refused } = simulate({ ...SERVICE }, new AdaptiveLimit(RULES), { perSecond: 800, forMs: 20_000 })
  assert.equal(refused, 0)
})

test('a service that becomes slower for good is found to be so, and used as far as it goes', () => {
  const limit = new AdaptiveLimit(RULES)
  simulate({ ...SERVICE }, limit, { perSecond: 2_000, forMs: 10_000 })
  const slower = { workers: 10, serviceMs: 100 }
  const { served } = simulate(slower, limit, { perSecond: 200, forMs: 180_000, fromMs: 11_000 })
  const settled = served.filter((outcome) => outcome.atMs > 131_000 && outcome.atMs <= 191_000)
  assert.ok(settled.length > 0.85 * 60 * 100, `${settled.length} of 6,000`)
  assert.ok(percentile(settled, 0.99) < 400, `P99 of ${percentile(settled, 0.99)} ms`)
})

test('the limit stays within its bounds', () => {
  const limit = new AdaptiveLimit({ ...RULES, initial: 8, max: 12 })
  let nowMs = 0
  const rounds = (latencyMs: number, count: number) => {
    for (let round = 0; round < count; round++) {
      let entered = 0
      while (limit.tryEnter(1)) entered += 1
      for (let index = 0; index < Math.max(entered, 1); index++) limit.leave(latencyMs, nowMs)
      nowMs += 20
    }
  }
  rounds(10, 100)
  assert.equal(limit.limit, 12)
  rounds(1_000, 100)
  assert.ok(limit.limit >= 4 && limit.limit <= 6, `${limit.limit}`)
})
