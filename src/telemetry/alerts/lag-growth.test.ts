import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Alert } from '../view.ts'
import { Alerts } from './alerts.ts'
import { alertChanged } from './channels.ts'
import { normal, QUIET, randomOf, START_MS } from './traffic-fixture.ts'

type Lag = { readonly messages: number; readonly seconds: number }

const NAMED = { topic: 'order.placed', group: 'payment-service', writtenPerSecond: 0, consumedPerSecond: 0 }

/** A topic and group whose lag is given second by second, reported every other second. */
function watch(lagAt: (second: number) => Lag | undefined, seconds: number, alerts = new Alerts()): readonly Alert[] {
  for (let second = 1; second <= seconds; second++) {
    const lag = second % 2 === 0 ? lagAt(second) : undefined
    const samples = lag === undefined ? [] : [{ ...NAMED, ...lag }]
    alerts.observe({ ...QUIET, atMs: START_MS + second * 1_000, lag: samples })
  }
  return alerts.all()
}

/** A queue of which `arriving` come and `served` are served each second: its length, and the age of its oldest. */
function queue(arriving: (second: number) => number, served: (second: number) => number) {
  const arrivals: { second: number; messages: number }[] = []
  return (now: number): Lag => {
    for (const second of [now - 1, now]) {
      arrivals.push({ second, messages: arriving(second) })
      let capacity = served(second)
      while (arrivals.length > 0 && capacity > 0) {
        const [oldest] = arrivals
        if (oldest === undefined) break
        const taken = Math.min(capacity, oldest.messages)
        oldest.messages -= taken
        capacity -= taken
        if (oldest.messages > 0) break
        arrivals.shift()
      }
    }
    const messages = arrivals.reduce((sum, one) => sum + one.messages, 0)
    return { messages, seconds: messages === 0 ? 0 : now - (arrivals[0]?.second ?? now) }
  }
}

test('a consumer that is stuck is alerted within 75 seconds, with the lag, its growth and what waits', () => {
  const stuckAt = 300
  const lag = queue(
    () => 100,
    (second) => (second > stuckAt ? 0 : 150),
  )
  const [alert] = watch(lag, stuckAt + 75)
  assert.equal(alert?.state, 'firing')
  assert.equal(alert?.subject, 'payment-service on order.placed')
  assert.match(
    alert?.message ?? '',
    /^Lag of payment-service on order\.placed grew from [\d.]+ m?s to [\d.]+ s, since 09:0[45]:\d\d UTC; [\d,]+ events wait, [\d,]+ a second more than are consumed\.$/,
  )
  assert.ok(Math.abs((alert?.sinceMs ?? 0) - (START_MS + stuckAt * 1_000)) <= 10_000)
})

test('a consumer that is stuck while nothing new comes is alerted, too', () => {
  const [alert] = watch((second) => ({ messages: second > 100 ? 3 : 0, seconds: Math.max(0, second - 100) }), 200)
  assert.match(alert?.message ?? '', /; 3 events wait\.$/)
})

test('a steady lag, however large, is no growth', () => {
  const random = randomOf(1)
  const steady = () => ({ messages: 4_000 + Math.round(200 * normal(random)), seconds: 40 + 2 * normal(random) })
  assert.deepEqual(watch(steady, 3_600), [])
})

test('a burst that is being drained is no alert, though its oldest event ages for minutes', () => {
  const lag = queue(
    (second) => (second > 300 && second <= 330 ? 2_000 : 50),
    () => 500,
  )
  let oldest = 0
  const observed = (second: number) => {
    const sample = lag(second)
    oldest = Math.max(oldest, sample.seconds)
    return sample
  }
  assert.deepEqual(watch(observed, 900), [])
  assert.ok(oldest > 60, `the oldest event waited ${oldest} s`)
})

test('a consumer a tenth too slow is alerted within six minutes', () => {
  const lag = queue(
    () => 100,
    (second) => (second > 300 ? 90 : 150),
  )
  const [alert] = watch(lag, 300 + 360)
  assert.equal(alert?.state, 'firing')
})

test('batches every eight seconds, and an hour of it, are no alert', () => {
  assert.deepEqual(
    watch((second) => ({ messages: (second % 8) * 100, seconds: second % 8 }), 3_600),
    [],
  )
})

test('a lag alert is resolved half a minute after the backlog is gone, and is one alert', () => {
  const lag = queue(
    () => 100,
    (second) => (second > 300 && second <= 420 ? 0 : 400),
  )
  const all = watch(lag, 600)
  assert.equal(all.length, 1)
  assert.equal(all[0]?.state, 'resolved')
  assert.match(all[0]?.message ?? '', /Down to .* at 09:0[78]:\d\d UTC\.$/)
})

test('a lag that has stopped growing for a quarter of an hour is resolved', () => {
  const all = watch((second) => ({ messages: 100, seconds: Math.min(60, Math.max(0, second - 100)) }), 1_300)
  assert.equal(all.length, 1)
  assert.match(all[0]?.message ?? '', /It stopped growing, at 60 s/)
})

test('a lag that nobody reports any more goes on firing and says so, until it is reported again', () => {
  const alerts = new Alerts()
  const lagAt = (second: number) => {
    if (second <= 200) return { messages: 9, seconds: Math.max(0, second - 100) }
    return second <= 400 ? undefined : { messages: 0, seconds: 0 }
  }
  const messages: string[] = []
  const end = alertChanged.subscribe(({ state, message }) => messages.push(`${state}: ${message}`))
  const [silent, ...others] = watch(lagAt, 400, alerts)
  assert.deepEqual([silent?.state, others], ['firing', []])
  assert.match(
    silent?.message ?? '',
    /; 9 events wait\. Nobody has reported this lag since 09:03:20 UTC, so that it may/,
  )
  const { state, sentence } = alerts.verdict([])
  assert.equal(state, 'degraded')
  assert.match(sentence, /Nobody has reported this lag/)
  const [resolved] = watch((second) => (second > 400 ? lagAt(second) : undefined), 500, alerts)
  assert.equal(resolved?.state, 'resolved')
  assert.match(resolved?.message ?? '', /; 9 events wait\. Down to 0 ms at 09:0\d:\d\d UTC\.$/)
  assert.deepEqual(
    messages.map((message) => message.replace(/:.*wait\./, '').replace(/\d\d:.*/, '')),
    ['firing', 'firing Nobody has reported this lag since ', 'firing', 'resolved Down to 0 ms at '],
  )
  end()
})

test('an alert for a lag that was not reported for a day is given up, and one that does not fire is forgotten', () => {
  const alerts = new Alerts()
  watch((second) => ({ messages: 9, seconds: Math.max(0, second - 100) }), 200, alerts)
  const atMs = START_MS + 200_000 + 24 * 3_600_000
  for (const afterMs of [0, 10_000]) alerts.observe({ ...QUIET, atMs: atMs + afterMs })
  const [alert] = alerts.all()
  assert.equal(alert?.state, 'resolved')
  assert.match(alert?.message ?? '', /No longer watched from [\d:]+ UTC on, since nobody reports it\.$/)
  assert.deepEqual(
    watch((second) => (second > 200 ? undefined : { messages: 0, seconds: 0 }), 300),
    [],
  )
})
