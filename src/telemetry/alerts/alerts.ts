import { type EncodedHistogram, encodedCount } from '../histogram-encoding.ts'
import type { Second } from '../second.ts'
import type { Alert, Degradation, LagSample, Verdict } from '../view.ts'
import { AlertHistory } from './alert-history.ts'
import { type LagChange, LagWatch } from './lag-watch.ts'
import { RiseScan } from './latency-rise.ts'
import { type LatencyChange, LatencyWatch } from './latency-watch.ts'
import { BLOCK_MS, LAG_SILENT_MS_MAX, LAGS_MAX, MINUTE_MS, RECENT_BLOCKS_MAX, SUBJECTS_MAX } from './limits.ts'
import {
  type LatencySubject,
  lagEndSentence,
  lagSentence,
  lagSilentSentence,
  latencyEndSentence,
  latencySentence,
} from './sentences.ts'
import { servicesOf, sumServices } from './service-minutes.ts'
import { type JourneyMinute, type Minute, type ServiceMinute, verdictOf } from './verdict.ts'

/** What the rules read of a second. Seconds come in order; those that do not are ignored. */
export type AlertSecond = Pick<Second, 'atMs' | 'all' | 'routes' | 'journeys' | 'services' | 'traffic' | 'lag'>

type Latency = LatencySubject & { readonly watch: LatencyWatch; seenAtMs: number; readonly phaseMs: number }
type Lag = {
  readonly watch: LagWatch
  sample: LagSample
  seenAtMs: number
  /** What was said when the alert fired. */
  message: string
  /** Whether it was said that nobody reports it. */
  isSilent: boolean
}
type Counts = { readonly atMs: number; readonly requests: number; readonly services: readonly ServiceMinute[] }

const SECOND_MS = 1_000
const MICROS_PER_MS = 1_000

/**
 * The alert rules and the verdict: fed with every second of the whole system, they say what fires. No timer, no clock
 * and no randomness: the same seconds always give the same alerts, so that a day is tested in seconds.
 */
export class Alerts {
  readonly #latencies = new Map<string, Latency>()
  readonly #lags = new Map<string, Lag>()
  readonly #scan = new RiseScan()
  readonly #history = new AlertHistory()
  /** Of the last minute, oldest first. */
  readonly #counts: Counts[] = []
  #atMs = 0

  observe(second: AlertSecond): void {
    const { atMs } = second
    if (atMs <= this.#atMs) return
    const beforeMs = this.#atMs === 0 ? atMs - SECOND_MS : this.#atMs
    this.#atMs = atMs
    this.#record(second)
    for (const [key, latency] of this.#latencies) this.#seal(key, latency, beforeMs)
    for (const sample of second.lag) this.#report(sample)
    if (blockAt(atMs, 0) > blockAt(beforeMs, 0)) for (const [key, lag] of this.#lags) this.#sample(key, lag)
    this.#count(second)
    this.#history.prune(atMs)
  }

  /** Firing ones first, then resolved ones of the last day, newest first. */
  all(): readonly Alert[] {
    return this.#history.all()
  }

  verdict(degradations: readonly Degradation[]): Verdict {
    return verdictOf(this.#minute(), { firing: this.#history.firing(), degradations })
  }

  #record({ routes, journeys, services }: AlertSecond): void {
    for (const { service, route, latency } of routes) {
      this.#latency(`route ${service} ${route}`, { name: route, kind: 'route' }, latency)
    }
    for (const { journey, latency } of journeys) {
      this.#latency(`journey ${journey}`, { name: journey, kind: 'journey' }, latency)
    }
    for (const { service, deliveryAge } of services) {
      if (deliveryAge !== undefined) {
        this.#latency(`consumers ${service}`, { name: service, kind: 'consumers' }, deliveryAge)
      }
    }
  }

  #latency(key: string, subject: LatencySubject, values: EncodedHistogram): void {
    const found = this.#latencies.get(key) ?? this.#watchLatency(key, subject)
    found.seenAtMs = this.#atMs
    found.watch.record(values)
  }

  /** Blocks of different subjects end in different seconds, so that their work is spread. */
  #watchLatency(key: string, subject: LatencySubject): Latency {
    const order = this.#latencies.size
    const phaseMs = (order * SECOND_MS) % BLOCK_MS
    const watch = new LatencyWatch(Math.floor((order * SECOND_MS) / BLOCK_MS))
    const latency = { ...subject, watch, seenAtMs: this.#atMs, phaseMs }
    this.#latencies.set(key, latency)
    this.#forget(this.#latencies, SUBJECTS_MAX, (oldest, atMs) => {
      this.#history.resolve(oldest, latencyEndSentence({ kind: 'ended', how: 'silent', p99: 0 }, atMs), atMs)
    })
    return latency
  }

  #seal(key: string, { watch, phaseMs, ...subject }: Latency, beforeMs: number): void {
    const ended = blockAt(this.#atMs, phaseMs) - blockAt(beforeMs, phaseMs)
    // After a gap the blocks in between were empty. More than a whole window of them says no more.
    for (let block = Math.min(ended, RECENT_BLOCKS_MAX); block > 0; block--) {
      const change = watch.seal(this.#atMs, this.#scan)
      if (change !== undefined) this.#latencyChanged(key, subject, change)
    }
  }

  #latencyChanged(key: string, subject: LatencySubject, change: LatencyChange): void {
    if (change.kind === 'ended') {
      this.#history.resolve(key, latencyEndSentence(change, this.#atMs), this.#atMs)
      return
    }
    const message = latencySentence(subject, change)
    const { sinceMs } = change
    this.#history.fire(key, { rule: 'latency-rise', subject: subject.name, message, sinceMs }, this.#atMs)
  }

  #report(sample: LagSample): void {
    const key = `lag ${sample.topic} ${sample.group}`
    const found = this.#lags.get(key)
    if (found !== undefined) {
      found.sample = sample
      found.seenAtMs = this.#atMs
      if (found.isSilent) this.#history.reword(key, found.message)
      found.isSilent = false
      return
    }
    this.#lags.set(key, { watch: new LagWatch(), sample, seenAtMs: this.#atMs, message: '', isSilent: false })
    this.#forget(this.#lags, LAGS_MAX, (oldest) => this.#lagUnreported(oldest))
  }

  #sample(key: string, lag: Lag): void {
    if (this.#atMs - lag.seenAtMs > MINUTE_MS) {
      this.#lagSilent(key, lag)
      return
    }
    const change = lag.watch.sample(lag.sample, this.#atMs)
    if (change !== undefined) this.#lagChanged(key, lag, change)
  }

  /** Whoever reports lag may have died with whoever works it off: an alert is over only when somebody says so. */
  #lagSilent(key: string, lag: Lag): void {
    if (!lag.watch.isFiring || this.#atMs - lag.seenAtMs > LAG_SILENT_MS_MAX) {
      this.#lags.delete(key)
      this.#lagUnreported(key)
      return
    }
    if (lag.isSilent) return
    lag.isSilent = true
    this.#history.reword(key, `${lag.message} ${lagSilentSentence(lag.seenAtMs)}`)
  }

  #lagChanged(key: string, lag: Lag, change: LagChange): void {
    if (change.kind === 'ended') {
      this.#history.resolve(key, lagEndSentence(change.how, change.seconds, this.#atMs), this.#atMs)
      return
    }
    const { sample } = lag
    const subject = `${sample.group} on ${sample.topic}`
    const message = lagSentence(sample, change)
    lag.message = message
    this.#history.fire(key, { rule: 'lag-growth', subject, message, sinceMs: change.sinceMs }, this.#atMs)
  }

  #lagUnreported(key: string): void {
    this.#history.resolve(key, lagEndSentence('unreported', 0, this.#atMs), this.#atMs)
  }

  #forget<Watched extends { readonly seenAtMs: number }>(
    watched: Map<string, Watched>,
    max: number,
    onForgotten: (key: string, atMs: number) => void,
  ): void {
    if (watched.size <= max) return
    const [oldest] = [...watched].toSorted(([, a], [, b]) => a.seenAtMs - b.seenAtMs)
    if (oldest === undefined) return
    watched.delete(oldest[0])
    onForgotten(oldest[0], this.#atMs)
  }

  #count(second: AlertSecond): void {
    const { atMs } = second
    this.#counts.push({ atMs, requests: encodedCount(second.all), services: servicesOf(second) })
    while ((this.#counts[0]?.atMs ?? atMs) <= atMs - MINUTE_MS) this.#counts.shift()
  }

  #minute(): Minute {
    const firstMs = this.#counts[0]?.atMs ?? this.#atMs
    const seconds = (this.#atMs - firstMs + SECOND_MS) / SECOND_MS
    const requests = this.#counts.reduce((sum, one) => sum + one.requests, 0)
    return {
      requestsPerSecond: requests / seconds,
      services: sumServices(this.#counts.flatMap(({ services }) => services)),
      journeys: [...this.#latencies.values()].filter(({ kind }) => kind === 'journey').map(journeyMinute),
    }
  }
}

function blockAt(atMs: number, phaseMs: number): number {
  return Math.floor((atMs + phaseMs) / BLOCK_MS)
}

function journeyMinute({ name, watch }: Latency): JourneyMinute {
  const { p99, count } = watch.lastMinute()
  const { usual } = watch
  const usualMs = usual && { low: usual.low / MICROS_PER_MS, high: usual.high / MICROS_PER_MS }
  return { journey: name, count, p99Ms: p99 / MICROS_PER_MS, usualMs }
}
