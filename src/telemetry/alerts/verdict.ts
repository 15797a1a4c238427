import type { Alert, Degradation, Verdict } from '../view.ts'
import { ERROR_SHARES, ERRORS_MIN } from './limits.ts'
import { duration, number } from './sentences.ts'

/** What one minute came to. */
export type Minute = {
  readonly requestsPerSecond: number
  readonly services: readonly ServiceMinute[]
  readonly journeys: readonly JourneyMinute[]
}

export type ServiceMinute = {
  readonly service: string
  readonly requests: number
  readonly events: number
  readonly httpErrors: number
  readonly applicationErrors: number
  readonly databaseErrors: number
  /** What the gateway measured of the requests for it: what a service that is dead cannot report. */
  readonly gateway: { readonly requests: number; readonly errors: number }
}

export type JourneyMinute = {
  readonly journey: string
  readonly count: number
  readonly p99Ms: number
  readonly usualMs: { readonly low: number; readonly high: number } | undefined
}

type Reason = { readonly state: 'degraded' | 'failing'; readonly text: string; readonly share: number }

/**
 * Says whether all is well. Failing: a service answers 5 % of its work with errors, or the gateway does for it.
 * Degraded: an alert fires, a part works worse than it should, or a service errs in 0.5 % of its work. Healthy: the
 * rest. The worst reason is named.
 */
export function verdictOf(
  minute: Minute,
  { firing, degradations }: { readonly firing: readonly Alert[]; readonly degradations: readonly Degradation[] },
): Verdict {
  const errors = minute.services.flatMap(errorReasons).toSorted((a, b) => b.share - a.share)
  const reasons: readonly Reason[] = [
    ...errors,
    ...firing.map(({ message }) => ({ state: 'degraded' as const, text: message, share: 0 })),
    ...degradations.map(({ message }) => ({ state: 'degraded' as const, text: message, share: 0 })),
  ]
  const facts = `${capitalized(factsOf(minute))}.`
  const [worst, ...others] = reasons
  if (worst === undefined) return { state: 'healthy', sentence: `Healthy. ${facts}` }
  const state = reasons.some((reason) => reason.state === 'failing') ? 'failing' : 'degraded'
  const more = others.length === 0 ? '' : ` (and ${number(others.length)} more)`
  const reason = `${worst.text.replace(/\.$/, '')}${more}`
  return { state, sentence: `${state === 'failing' ? 'Failing' : 'Degraded'}: ${reason}. ${facts}` }
}

function errorReasons(of: ServiceMinute): readonly Reason[] {
  const work = of.requests + of.events
  return [
    answersReason(of),
    errorReason(of.applicationErrors, work, `of the requests and events of ${of.service} fail`),
    errorReason(of.databaseErrors, work, `of the requests and events of ${of.service} fail in the database`),
  ].filter((reason) => reason !== undefined)
}

/** One failed request may be in both counts: only that which shows the worse is told. */
function answersReason({ service, requests, httpErrors, gateway }: ServiceMinute): Reason | undefined {
  const own = errorReason(httpErrors, requests, `of the answers of ${service} have status 500 or more`)
  const who = `of the answers of the gateway for ${service}`
  const measured = errorReason(gateway.errors, gateway.requests, `${who} have status 500 or more`)
  return (measured?.share ?? 0) > (own?.share ?? 0) ? measured : own
}

function errorReason(errors: number, work: number, what: string): Reason | undefined {
  const share = Math.min(1, errors / Math.max(1, work))
  if (errors < ERRORS_MIN || share < ERROR_SHARES.degraded) return undefined
  const counts = `${number(errors)} of ${number(Math.max(errors, work))} in the last minute`
  return {
    state: share >= ERROR_SHARES.failing ? 'failing' : 'degraded',
    text: `${number(share * 100, 1)} % ${what} (${counts})`,
    share,
  }
}

/** `order placed to shipped P99 410 ms (usual 380 ms–450 ms), 212 requests/s, no errors` */
function factsOf(minute: Minute): string {
  const [busiest] = minute.journeys.filter(({ count }) => count > 0).toSorted((a, b) => b.count - a.count)
  const rate = minute.requestsPerSecond
  const requests = rate === 0 ? 'no requests in the last minute' : `${number(rate, rate < 10 ? 1 : 0)} requests/s`
  return [...(busiest === undefined ? [] : [journeyFact(busiest)]), requests, errorFact(minute.services)].join(', ')
}

function journeyFact({ journey, p99Ms, usualMs }: JourneyMinute): string {
  const usual = usualMs === undefined ? '' : ` (usual ${duration(usualMs.low)}–${duration(usualMs.high)})`
  return `${journey} P99 ${duration(p99Ms)}${usual}`
}

function errorFact(services: readonly ServiceMinute[]): string {
  const total = (read: (service: ServiceMinute) => number) => services.reduce((sum, one) => sum + read(one), 0)
  const counts = [
    { kind: 'HTTP', count: total((one) => Math.max(one.httpErrors, one.gateway.errors)) },
    { kind: 'application', count: total((one) => one.applicationErrors) },
    { kind: 'database', count: total((one) => one.databaseErrors) },
  ].filter(({ count }) => count > 0)
  if (counts.length === 0) return 'no errors'
  return `errors in the last minute: ${counts.map(({ kind, count }) => `${number(count)} ${kind}`).join(', ')}`
}

function capitalized(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}
