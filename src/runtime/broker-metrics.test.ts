import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GroundswellError, systemClock } from '../core/index.ts'
import { brokerBlocked, forwarded, gapMet, leaseChanged, readerRestarted, workFailed } from '../events/index.ts'
import { createTelemetry, type Telemetry } from '../telemetry/index.ts'
import { recordBroker } from './broker-metrics.ts'

const AWAY = new GroundswellError('EVENTS_BROKER_UNAVAILABLE', 'kafka:9092 does not answer', {
  ...{ status: 503, retryable: true, remedy: '' },
})

function recorded() {
  const telemetry = createTelemetry({ instance: 'test', services: [], clock: systemClock, collects: true })
  const ends = recordBroker(telemetry)
  const messages = () => telemetry.degradations().map(({ message }) => message)
  const stop = async () => {
    for (const end of ends) end()
    await telemetry.stop()
  }
  return { telemetry, messages, stop }
}

async function pageOf({ page }: Telemetry): Promise<string> {
  let text = ''
  for await (const piece of page.read()) text += piece
  return text
}

test('events that wait for a broker are a degradation, of each shard, until something was forwarded', async () => {
  const { telemetry, messages, stop } = recorded()
  for (const shard of [0, 1]) workFailed.publish({ shard, part: 'forwarder', error: AWAY, retryInMs: 10 })
  workFailed.publish({ shard: 2, part: 'forwarder', error: new Error('the database is away'), retryInMs: 10 })
  assert.deepEqual(messages(), [
    'events of shard 0 wait for the broker: kafka:9092 does not answer',
    'events of shard 1 wait for the broker: kafka:9092 does not answer',
  ])
  forwarded.publish({ shard: 0, events: 3, durationMs: 5 })
  leaseChanged.publish({ shard: 1, name: 'group:~broker', held: false, epoch: 1 })
  assert.deepEqual(messages(), [])
  assert.match(await pageOf(telemetry), /groundswell_events_forwarded_total\{shard="0"\} 3/)
  await stop()
})

test('readers that are given up are counted by reason, and a broker that blocks is a degradation', async () => {
  const { telemetry, messages, stop } = recorded()
  readerRestarted.publish({ group: 'mail', reason: 'stalled' })
  readerRestarted.publish({ group: 'mail', reason: 'stalled' })
  readerRestarted.publish({ group: 'mail', reason: 'gap' })
  brokerBlocked.publish({ broker: 'rabbitmq', blocked: true, reason: 'low on memory' })
  const page = await pageOf(telemetry)
  assert.match(page, /groundswell_reader_restarts_total\{consumer_group="mail",reason="stalled"\} 2/)
  assert.match(page, /groundswell_reader_restarts_total\{consumer_group="mail",reason="gap"\} 1/)
  assert.deepEqual(messages(), ['rabbitmq lets nobody publish: low on memory'])
  brokerBlocked.publish({ broker: 'rabbitmq', blocked: false, reason: '' })
  assert.deepEqual(messages(), [])
  await stop()
})

test('a group that stands at a gap is a degradation, and counted by its partitions, until it is past it', async () => {
  const { telemetry, messages, stop } = recorded()
  const gap = { group: 'mail', topic: 'order.placed', stream: 'order.placed/2', reached: 7, after: 9 }
  for (const source of [0, 1, 1]) gapMet.publish({ ...gap, source, isOpen: true })
  assert.deepEqual(messages(), [
    'mail stands at a gap in order.placed/2 of shard 0: it has come to 7, and the broker goes on at 9',
    'mail stands at a gap in order.placed/2 of shard 1: it has come to 7, and the broker goes on at 9',
  ])
  const gaps = async () => /groundswell_events_gaps\{(.+)\} (\d)/.exec(await pageOf(telemetry))?.slice(1)
  const labels = 'topic="order.placed",consumer_group="mail"'
  assert.deepEqual(await gaps(), [labels, '2'])
  for (const source of [0, 1]) gapMet.publish({ ...gap, source, isOpen: false })
  assert.deepEqual(messages(), [])
  assert.deepEqual(await gaps(), [labels, '0'])
  await stop()
})
