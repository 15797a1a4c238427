import { Histogram } from './histogram.ts'
import type { EncodedHistogram } from './histogram-encoding.ts'
import type { Second } from './second.ts'
import type { Frame, LatencySample } from './view.ts'

/** What is shown of a second, or of several that were merged: percentiles, and counts per second. */
export function frameOf(second: Second, seconds = 1): Frame {
  return {
    atMs: second.atMs,
    all: latencyOf(second.all, seconds),
    routes: second.routes.map(({ service, route, latency, errors }) => {
      return { ...latencyOf(latency, seconds), service, route, errors: errors / seconds }
    }),
    journeys: second.journeys.map(({ journey, latency }) => ({ ...latencyOf(latency, seconds), journey })),
    services: second.services.map((service) => ({
      service: service.service,
      requestsPerSecond: service.requests / seconds,
      eventsPerSecond: service.events / seconds,
      httpErrors: service.httpErrors / seconds,
      applicationErrors: service.applicationErrors / seconds,
      databaseErrors: service.databaseErrors / seconds,
    })),
    traffic: second.traffic.map(({ kind, id, name, latency, statuses }) => ({
      ...latencyOf(latency, seconds),
      kind,
      id,
      name,
      statuses: perSecond(statuses, seconds),
    })),
    rejections: second.rejections.map(({ plugin, requests }) => ({ plugin, perSecond: requests / seconds })),
    instances: second.instances,
    lag: second.lag,
    shards: second.shards.map(({ shard, transactions, statements, connectionsBusy, connectionsMax, waiting }) => {
      const { perSecond, p99Ms } = latencyOf(transactions, seconds)
      const statement = latencyOf(statements, seconds)
      return {
        shard,
        transactionsPerSecond: perSecond,
        transactionP99Ms: p99Ms,
        statementsPerSecond: statement.perSecond,
        statementP99Ms: statement.p99Ms,
        connectionsBusy,
        connectionsMax,
        waiting,
      }
    }),
  }
}

function perSecond(counts: Readonly<Record<string, number>>, seconds: number): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(counts).map(([name, value]) => [name, value / seconds]))
}

const MICROS = 1_000

/** Frames are made one after the other: one histogram to read from serves all. */
const scratch = new Histogram()

function latencyOf(encoded: EncodedHistogram | undefined, seconds: number): LatencySample {
  if (encoded === undefined) {
    return { perSecond: 0, p50Ms: undefined, p90Ms: undefined, p95Ms: undefined, p99Ms: undefined }
  }
  scratch.reset()
  scratch.add(encoded)
  const msAt = (fraction: number) => scratch.quantile(fraction) / MICROS
  return {
    perSecond: scratch.count / seconds,
    p50Ms: msAt(0.5),
    p90Ms: msAt(0.9),
    p95Ms: msAt(0.95),
    p99Ms: msAt(0.99),
  }
}
