import { delay } from '../../src/core/index.ts'
import { type Arrivals, type LoadProgress, type LoadReport, runLoad } from '../../src/testing/index.ts'
import type { Arm, OrderCounts } from './arm.ts'

/** One stretch of load at a fixed rate, and what became of its orders. */
export type Window = {
  readonly rate: number
  readonly acceptedPerSecond: number
  /** Orders that reached their final state while the load lasted, per second of it. */
  readonly completedPerSecond: number
  /** Accepted and not final when the load ended. */
  readonly backlog: number
  /** Time after the load until the last order was final, in milliseconds. */
  readonly drainMs: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly generatorCpuMicros: number
  /** Why the rate does not count as sustained; empty when it does. */
  readonly shortfalls: readonly string[]
}

/** What still counts as sustained. */
const ACHIEVED_MIN = 0.98
const FAILED_MAX = 0.001
const P99_MS_MAX = 1_000
/**
 * What is under way, in seconds of the rate. An order takes a few transactions one after the other, which a busy
 * process makes larger and rarer, so some is always under way; completion keeps pace if that does not grow.
 */
const BACKLOG_SECONDS_MAX = 3
/** Growth over the second half of a window: of 30 s, a thirtieth of the rate. */
const BACKLOG_GROWTH_SECONDS_MAX = 0.5
const DRAIN_TIMEOUT_MS = 120_000
const DRAIN_POLL_MS = 250
const QUIET_POLLS_AFTER_FAILURES = 20
const CONNECTIONS_MAX = 4_000

export type WindowLoad = {
  readonly rate: number
  readonly seconds: number
  /** Called every second. */
  readonly onProgress?: (progress: LoadProgress) => void
}

/**
 * Runs one window. Throws when an accepted order is missing from the databases or does not come to its end; where the
 * shop has no means against that, what does not is a shortfall.
 */
export async function runWindow(arm: Arm, load: WindowLoad): Promise<Window> {
  const before = await arm.counts?.()
  const arrivals: Arrivals = { kind: 'fixed', rate: load.rate, durationMs: load.seconds * 1_000 }
  const startedAtMs = performance.now()
  const running = runLoad({
    url: arm.url,
    arrivals,
    request: arm.request,
    verify: arm.verify,
    connectionsMax: CONNECTIONS_MAX,
    ...(load.onProgress === undefined ? {} : { onProgress: load.onProgress }),
  })
  const [report, atHalf] = await Promise.all([running, countsAfter(arm, (load.seconds * 1_000) / 2)])
  const atEnd = await arm.counts?.()
  const elapsedMs = performance.now() - startedAtMs
  const drained = before === undefined ? NOTHING_TO_DRAIN : await drain(arm, { failed: report.failed, before })
  if (before !== undefined) await checkNothingLost(arm, { before, report })
  return judge({ rate: load.rate, report, before, atHalf, atEnd, elapsedMs, ...drained })
}

async function countsAfter(arm: Arm, ms: number): Promise<OrderCounts | undefined> {
  await delay(ms)
  return arm.counts?.()
}

type Measured = {
  readonly rate: number
  readonly report: LoadReport
  readonly before: OrderCounts | undefined
  readonly atHalf: OrderCounts | undefined
  readonly atEnd: OrderCounts | undefined
  readonly elapsedMs: number
  readonly drainMs: number
  /** Orders of this window that never came to their end. */
  readonly stranded: number
}

const NOTHING_TO_DRAIN = { drainMs: 0, stranded: 0 }

/** What the counts and latencies of a window say about its rate. */
export function judge(measured: Measured): Window {
  const { rate, report, before, atHalf, atEnd, elapsedMs, drainMs, stranded } = measured
  const completed = atEnd === undefined || before === undefined ? report.succeeded : atEnd.final - before.final
  const backlog = underWay(atEnd)
  const growth = backlog - underWay(atHalf)
  const checks: readonly [boolean, string][] = [
    [report.succeeded >= ACHIEVED_MIN * report.asked, `achieved ${Math.round(report.rateAchieved)}/s`],
    [report.failed <= FAILED_MAX * report.asked, `failed ${report.failed}: ${Object.keys(report.failures).join(', ')}`],
    [report.dropped === 0, `dropped ${report.dropped}`],
    [report.latencyMs.p99 <= P99_MS_MAX, `P99 ${Math.round(report.latencyMs.p99)} ms`],
    [backlog <= BACKLOG_SECONDS_MAX * rate, `${backlog} orders behind`],
    [growth <= BACKLOG_GROWTH_SECONDS_MAX * rate, `${growth} more orders behind than at half time`],
    [stranded === 0, `${stranded} orders never came to their end`],
  ]
  return {
    rate,
    acceptedPerSecond: report.rateAchieved,
    completedPerSecond: Math.round((completed * 10_000) / elapsedMs) / 10,
    backlog,
    drainMs: Math.round(drainMs),
    p50Ms: report.latencyMs.p50,
    p99Ms: report.latencyMs.p99,
    generatorCpuMicros: report.generator.cpuPerRequestMicros,
    shortfalls: checks.filter(([holds]) => !holds).map(([, shortfall]) => shortfall),
  }
}

function underWay(counts: OrderCounts | undefined): number {
  return counts === undefined ? 0 : Math.max(0, counts.placed - counts.final)
}

/**
 * Waits until every order is final, apart from those that were stranded before. After requests that timed out that is
 * not enough: the server may still take them up, so then nothing must have been added for a while either.
 */
async function drain(arm: Arm, { failed, before }: { failed: number; before: OrderCounts }) {
  const startedAtMs = performance.now()
  const strandedBefore = before.placed - before.final
  const quietPolls = failed === 0 ? 1 : QUIET_POLLS_AFTER_FAILURES
  let [placed, quiet] = [-1, 0]
  for (;;) {
    const counts = await arm.counts?.()
    const drainMs = performance.now() - startedAtMs
    if (counts === undefined) return NOTHING_TO_DRAIN
    const left = counts.placed - counts.final - strandedBefore
    quiet = left <= 0 && (placed === -1 || placed === counts.placed) ? quiet + 1 : 0
    if (quiet >= quietPolls) return { drainMs, stranded: 0 }
    placed = counts.placed
    if (drainMs > DRAIN_TIMEOUT_MS) {
      if (arm.strandsOrders) return { drainMs, stranded: left }
      throw new Error(`${arm.name}: ${left} orders are not final ${Math.round(drainMs)} ms after the load`)
    }
    await delay(DRAIN_POLL_MS)
  }
}

/** Every answer that said yes has its row. A request without an answer may have one. */
async function checkNothingLost(
  arm: Arm,
  { before, report }: { before: OrderCounts; report: LoadReport },
): Promise<void> {
  const after = await arm.counts?.()
  const placed = (after?.placed ?? 0) - before.placed
  if (placed < report.succeeded || placed > report.asked) {
    throw new Error(`${arm.name}: ${report.succeeded} orders were accepted, but PostgreSQL has ${placed} more`)
  }
}
