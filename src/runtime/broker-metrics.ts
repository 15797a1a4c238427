import { GroundswellError, messageOf } from '../core/index.ts'
import { brokerBlocked, forwarded, gapMet, leaseChanged, readerRestarted, workFailed } from '../events/index.ts'
import type { Telemetry } from '../telemetry/index.ts'

/**
 * Measures the way of events through a broker, and says for as long as it lasts that a shard's events wait for it, that
 * a group stands at a gap, or that it lets nobody publish. Returns how to end that.
 */
export function recordBroker(telemetry: Telemetry): readonly (() => void)[] {
  const { metrics } = telemetry
  const partOf = (shard: number) => `forwarding of shard ${shard}`
  return [
    forwarded.subscribe(({ shard, events, durationMs }) => {
      metrics.eventsForwarded.series(shard).add(events)
      metrics.forwardDuration.series(shard).record(durationMs)
      telemetry.recovered(partOf(shard))
    }),
    readerRestarted.subscribe(({ group, reason }) => metrics.readerRestarts.series(group, reason).add(1)),
    recordGaps(telemetry),
    workFailed.subscribe(({ part, shard, error }) => {
      // What the database cannot do is told elsewhere.
      if (part !== 'forwarder' || !isOfBroker(error)) return
      telemetry.degraded(partOf(shard), `events of shard ${shard} wait for the broker: ${messageOf(error)}`)
    }),
    // Whoever forwards the shard from now on tells how that goes.
    leaseChanged.subscribe(({ shard, name, held }) => {
      if (name === 'group:~broker' && !held) telemetry.recovered(partOf(shard))
    }),
    brokerBlocked.subscribe(({ broker, blocked, reason }) => {
      if (blocked) telemetry.degraded(`broker ${broker}`, `${broker} lets nobody publish: ${reason}`)
      else telemetry.recovered(`broker ${broker}`)
    }),
  ]
}

function recordGaps(telemetry: Telemetry): () => void {
  /** By topic and group, the streams of all source shards that stand. */
  const standing = new Map<string, Set<string>>()
  return gapMet.subscribe(({ group, source, topic, stream, reached, after, isOpen }) => {
    const where = `${stream} of shard ${source}`
    const part = `gap of ${group} in ${where}`
    const streams = standing.get(`${topic} ${group}`) ?? new Set()
    standing.set(`${topic} ${group}`, streams)
    if (isOpen) streams.add(where)
    else streams.delete(where)
    telemetry.metrics.eventsGaps.series(topic, group).set(streams.size)
    if (!isOpen) telemetry.recovered(part)
    else {
      const what = `it has come to ${reached}, and the broker goes on at ${after}`
      telemetry.degraded(part, `${group} stands at a gap in ${where}: ${what}`)
    }
  })
}

function isOfBroker(error: unknown): boolean {
  return error instanceof GroundswellError && error.code.startsWith('EVENTS_BROKER_')
}
