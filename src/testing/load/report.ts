import type { Histogram } from '../../telemetry/index.ts'

/** Latency in milliseconds, from the time a request was due to its whole answer. */
export type LatencyReport = {
  readonly p50: number
  readonly p90: number
  readonly p95: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  readonly mean: number
}

/** What a load came to. */
export type LoadReport = {
  /** Requests that were due, and per second over the planned duration. */
  readonly asked: number
  readonly rateAsked: number
  /** Right answers, and per second until the last of them. */
  readonly succeeded: number
  readonly rateAchieved: number
  /** Wrong answers, and requests without one. */
  readonly failed: number
  /** Due requests that were not sent because every connection was busy. */
  readonly dropped: number
  /** Answers by status, right or wrong. */
  readonly statuses: Readonly<Record<string, number>>
  /** Failures by reason. */
  readonly failures: Readonly<Record<string, number>>
  /** Of right answers and of timeouts. */
  readonly latencyMs: LatencyReport
  /** First request to last answer, in milliseconds. */
  readonly elapsedMs: number
  readonly generator: GeneratorReport
}

/** How far the generator itself can be believed. */
export type GeneratorReport = {
  /** How late requests were sent, P99 in milliseconds; it is part of their latency. */
  readonly latenessP99Ms: number
  /** CPU time of this process per request, in microseconds. */
  readonly cpuPerRequestMicros: number
  /** True when the figures say more about the generator than about the system: drops, or sending too late. */
  readonly saturated: boolean
}

/** One second of a load. */
export type LoadProgress = {
  readonly elapsedMs: number
  readonly asked: number
  readonly succeeded: number
  readonly failed: number
  readonly dropped: number
  readonly inFlight: number
  /** P99 of the last second in milliseconds. */
  readonly p99Ms: number
}

export function latencyReport(histogram: Histogram): LatencyReport {
  const { p50, p90, p95, p99, p999, max, mean } = histogram.summary()
  const ms = (micros: number) => Math.round(micros / 10) / 100
  return { p50: ms(p50), p90: ms(p90), p95: ms(p95), p99: ms(p99), p999: ms(p999), max: ms(max), mean: ms(mean) }
}

/** A line of progress: `   12 s     5,000/s  ok 60,000  failed 0  dropped 0  in flight 14  p99 3.2 ms`. */
export function progressLine(progress: LoadProgress, before: LoadProgress | undefined): string {
  const seconds = (progress.elapsedMs - (before?.elapsedMs ?? 0)) / 1000
  const rate = seconds > 0 ? (progress.succeeded - (before?.succeeded ?? 0)) / seconds : 0
  return [
    `${Math.round(progress.elapsedMs / 1000)} s`.padStart(6),
    `${count(rate)}/s`.padStart(10),
    `ok ${count(progress.succeeded)}`,
    `failed ${count(progress.failed)}`,
    `dropped ${count(progress.dropped)}`,
    `in flight ${count(progress.inFlight)}`,
    `p99 ${progress.p99Ms.toFixed(1)} ms`,
  ].join('  ')
}

/** The final table, for people. */
export function reportLines(report: LoadReport): string[] {
  const { latencyMs, generator } = report
  const lines = [
    row('rate asked', `${count(report.rateAsked)}/s`, `${count(report.asked)} requests`),
    row('rate achieved', `${count(report.rateAchieved)}/s`, `${count(report.succeeded)} right answers`),
    row('failed', count(report.failed), list(report.failures)),
    row('dropped', count(report.dropped), report.dropped > 0 ? 'every connection of the generator was busy' : ''),
    row('statuses', list(report.statuses)),
    row('latency P50', milliseconds(latencyMs.p50)),
    row('latency P90', milliseconds(latencyMs.p90)),
    row('latency P95', milliseconds(latencyMs.p95)),
    row('latency P99', milliseconds(latencyMs.p99)),
    row('latency P99.9', milliseconds(latencyMs.p999)),
    row('latency max', milliseconds(latencyMs.max)),
    row(
      'generator',
      `${generator.cpuPerRequestMicros} µs`,
      `CPU a request; late by P99 ${milliseconds(generator.latenessP99Ms)}`,
    ),
  ]
  if (generator.saturated) lines.push('The generator was saturated: the system may do better than these figures say.')
  return lines
}

function row(name: string, value: string, note = ''): string {
  return `${name.padEnd(16)}${value.padStart(12)}${note === '' ? '' : `  ${note}`}`.trimEnd()
}

function list(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts)
  return entries.map(([name, value]) => `${name} × ${count(value)}`).join(', ')
}

function milliseconds(value: number): string {
  return `${value.toFixed(2)} ms`
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}
