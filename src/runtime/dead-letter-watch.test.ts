import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { event, newContext, systemClock } from '../core/index.ts'
import { systemMigrations } from '../data/index.ts'
import { emit, eventsMigrations, on, parkedCounts, redrive, startEvents } from '../events/index.ts'
import { createTelemetry } from '../telemetry/index.ts'
import { startTestCluster, until } from '../testing/index.ts'
import { DeadLetterWatch } from './dead-letter-watch.ts'
import { DEAD_LETTERS_POLL_MS } from './limits.ts'

const Sold = event('test.sold', 1, z.object({ serial: z.int() }), { key: () => 1 })
const PARKED = `
INSERT INTO groundswell.parked_event
  (grp, source, topic, off, id, version, bucket, key, payload, traceparent, occurred_at_ms, state, attempts)
VALUES ('printer', 0, 'test.sold', 1, gen_random_uuid(), 1, 1, '1', '{}', '', 0, 'dead', 1)`

const ONCE = { attemptsMax: 1, backoff: { minMs: 5, maxMs: 5 } }

test('dead letters are a degradation until they are redriven, with how many keys wait behind them', async (t) => {
  const { cluster, stop } = await startTestCluster({ shards: 2, migrations: [systemMigrations, eventsMigrations] })
  let isBroken = true
  const consumer = on(Sold, async () => {
    if (isBroken) throw new Error('no printer')
  })
  const groups = [{ name: 'printer', consumers: [consumer] }]
  const events = await startEvents({ cluster, groups, owner: 'test', sequence: true, retry: ONCE })
  const telemetry = createTelemetry({ instance: 'host:1', services: [], clock: systemClock })
  t.after(async () => {
    await events.stop({ deadlineAtMs: systemClock.now() + 5_000 })
    await telemetry.stop()
    await stop()
  })
  const told = () => telemetry.degradations().map(({ part, message }) => `${part}: ${message}`)
  const watch = new DeadLetterWatch(cluster, telemetry)
  const parked = async () => (await parkedCounts(cluster)).map(({ dead, waiting }) => `${dead} ${waiting}`).join()

  await watch.look(0)
  assert.deepEqual(told(), [])

  const send = (serial: number) => cluster.forKey(1).transaction(async (tx) => emit(tx, Sold, { serial }, newContext()))
  await send(1)
  await until(async () => (await parked()) === '1 0', { what: 'a dead letter' })
  await watch.look(DEAD_LETTERS_POLL_MS - 1)
  assert.deepEqual(told(), [], 'it is not counted at each look')
  await watch.look(DEAD_LETTERS_POLL_MS)
  assert.deepEqual(told(), ['dead letters of printer: 1 given up; groundswell events dlq --group printer says why'])

  await send(2)
  await until(async () => (await parked()) === '1 1', { what: 'one that waits' })
  await watch.look(2 * DEAD_LETTERS_POLL_MS)
  assert.match(told().join(), /^dead letters of printer: 1 given up, with 1 of the same keys behind; [^,]*$/)

  isBroken = false
  await redrive(cluster, { group: 'printer' })
  await until(async () => (await parked()) === '', { what: 'the redriven one' })
  await watch.look(3 * DEAD_LETTERS_POLL_MS)
  assert.deepEqual(told(), [])
})

test('who no longer asks no longer tells', async (t) => {
  const { cluster, stop } = await startTestCluster({ shards: 1, migrations: [systemMigrations, eventsMigrations] })
  const telemetry = createTelemetry({ instance: 'host:1', services: [], clock: systemClock })
  t.after(async () => {
    await telemetry.stop()
    await stop()
  })
  await cluster.home.query(PARKED)
  const watch = new DeadLetterWatch(cluster, telemetry)
  await watch.look(0)
  assert.equal(telemetry.degradations().length, 1)
  watch.forget()
  assert.deepEqual(telemetry.degradations(), [])
  await watch.look(1)
  assert.equal(telemetry.degradations().length, 1, 'and looks at once when it is asked again')
})
