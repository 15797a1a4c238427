import { Histogram } from './histogram.ts'
import type { EncodedHistogram } from './histogram-encoding.ts'
import type {
  DegradationSecond,
  JourneySecond,
  RejectionSecond,
  RouteSecond,
  Second,
  ServiceSecond,
  ShardSecond,
  TrafficSecond,
} from './second.ts'
import type { InstanceSample, LagSample } from './view.ts'

/**
 * Joins the same second of several processes: counts and histograms add up, and so do the connections of their pools.
 * The result is as if one process had recorded everything.
 */
export function mergeProcesses(seconds: readonly Second[]): Second {
  const [only, ...others] = seconds
  if (only !== undefined && others.length === 0) return only
  return {
    ...mergeCounts(seconds),
    shards: joinBy(
      seconds.flatMap((second) => second.shards),
      shardOf,
      (shards) => mergeShards(shards, sum),
    ),
    instances: joinBy(
      seconds.flatMap((second) => second.instances),
      instanceOf,
      meanInstance,
    ),
    lag: joinBy(
      seconds.flatMap((second) => second.lag),
      lagOf,
      lastOf,
    ),
  }
}

/**
 * Joins several seconds, oldest first, into one step: counts and histograms add up; of the pools the worst moment
 * counts, of processes the mean, of lag the last word and of its rates the mean.
 */
export function mergeTime(seconds: readonly Second[]): Second {
  return {
    ...mergeCounts(seconds),
    shards: joinBy(
      seconds.flatMap((second) => second.shards),
      shardOf,
      (shards) => mergeShards(shards, max),
    ),
    instances: joinBy(
      seconds.flatMap((second) => second.instances),
      instanceOf,
      meanInstance,
    ),
    lag: joinBy(
      seconds.flatMap((second) => second.lag),
      lagOf,
      mergeLag,
    ),
  }
}

function mergeCounts(seconds: readonly Second[]): Omit<Second, 'shards' | 'instances' | 'lag'> {
  return {
    atMs: max(seconds.map((second) => second.atMs)),
    all: mergeHistograms(seconds.map((second) => second.all)),
    routes: joinBy(
      seconds.flatMap((second) => second.routes),
      routeOf,
      mergeRoutes,
    ),
    journeys: joinBy(
      seconds.flatMap((second) => second.journeys),
      journeyOf,
      mergeJourneys,
    ),
    services: joinBy(
      seconds.flatMap((second) => second.services),
      serviceOf,
      mergeServices,
    ),
    traffic: joinBy(
      seconds.flatMap((second) => second.traffic),
      subjectOf,
      mergeTraffic,
    ),
    rejections: joinBy(
      seconds.flatMap((second) => second.rejections),
      pluginOf,
      mergeRejections,
    ),
    degradations: joinBy(
      seconds.flatMap((second) => second.degradations),
      degradationOf,
      lastOf,
    ),
  }
}

const routeOf = ({ service, route }: RouteSecond) => `${service} ${route}`
const journeyOf = ({ journey }: JourneySecond) => journey
const serviceOf = ({ service }: ServiceSecond) => service
const subjectOf = ({ kind, id }: TrafficSecond) => `${kind} ${id}`
const pluginOf = ({ plugin }: RejectionSecond) => plugin
const degradationOf = ({ instance, part }: DegradationSecond) => `${instance} ${part}`
const shardOf = ({ shard }: ShardSecond) => shard
const instanceOf = ({ instance }: InstanceSample) => instance
const lagOf = ({ topic, group }: LagSample) => `${topic} ${group}`

function mergeRoutes(routes: Several<RouteSecond>): RouteSecond {
  return {
    ...routes[0],
    latency: mergeSome(routes.map((route) => route.latency)),
    errors: sum(routes.map((route) => route.errors)),
  }
}

function mergeJourneys(journeys: Several<JourneySecond>): JourneySecond {
  return { ...journeys[0], latency: mergeSome(journeys.map((journey) => journey.latency)) }
}

function mergeServices(services: Several<ServiceSecond>): ServiceSecond {
  return {
    service: services[0].service,
    requests: sum(services.map((service) => service.requests)),
    events: sum(services.map((service) => service.events)),
    deliveryAge: mergeHistograms(services.map((service) => service.deliveryAge)),
    httpErrors: sum(services.map((service) => service.httpErrors)),
    applicationErrors: sum(services.map((service) => service.applicationErrors)),
    databaseErrors: sum(services.map((service) => service.databaseErrors)),
  }
}

function mergeLag(samples: Several<LagSample>): LagSample {
  const meanOf = (read: (sample: LagSample) => number) => sum(samples.map(read)) / samples.length
  return {
    ...lastOf(samples),
    writtenPerSecond: meanOf((sample) => sample.writtenPerSecond),
    consumedPerSecond: meanOf((sample) => sample.consumedPerSecond),
  }
}

function mergeTraffic(subjects: Several<TrafficSecond>): TrafficSecond {
  const statuses: Record<string, number> = {}
  for (const subject of subjects) {
    for (const [status, requests] of Object.entries(subject.statuses)) {
      statuses[status] = (statuses[status] ?? 0) + requests
    }
  }
  // The last word, since a service may have been renamed; of a process that does not tell it there is none.
  const name = subjects.findLast((subject) => subject.name !== '')?.name ?? ''
  return { ...subjects[0], name, latency: mergeSome(subjects.map((subject) => subject.latency)), statuses }
}

function mergeRejections(rejections: Several<RejectionSecond>): RejectionSecond {
  return { ...rejections[0], requests: sum(rejections.map((rejection) => rejection.requests)) }
}

function mergeShards(shards: Several<ShardSecond>, pools: (values: readonly number[]) => number): ShardSecond {
  return {
    shard: shards[0].shard,
    transactions: mergeHistograms(shards.map((shard) => shard.transactions)),
    transactionsFailed: sum(shards.map((shard) => shard.transactionsFailed)),
    statements: mergeHistograms(shards.map((shard) => shard.statements)),
    appended: sum(shards.map((shard) => shard.appended)),
    connectionsBusy: pools(shards.map((shard) => shard.connectionsBusy)),
    connectionsMax: pools(shards.map((shard) => shard.connectionsMax)),
    waiting: pools(shards.map((shard) => shard.waiting)),
  }
}

/** Bytes are per second and stay so; of the event loop's delay the worst second counts. */
function meanInstance(samples: Several<InstanceSample>): InstanceSample {
  const meanOf = (read: (sample: InstanceSample) => number) => sum(samples.map(read)) / samples.length
  return {
    ...lastOf(samples),
    cpuPercent: meanOf((sample) => sample.cpuPercent),
    memoryBytes: meanOf((sample) => sample.memoryBytes),
    eventLoopDelayMs: max(samples.map((sample) => sample.eventLoopDelayMs)),
    eventLoopUtilization: meanOf((sample) => sample.eventLoopUtilization),
    diskReadBytes: meanOf((sample) => sample.diskReadBytes),
    diskWriteBytes: meanOf((sample) => sample.diskWriteBytes),
    networkInBytes: meanOf((sample) => sample.networkInBytes),
    networkOutBytes: meanOf((sample) => sample.networkOutBytes),
  }
}

/** One or more. */
type Several<Value> = readonly [Value, ...Value[]]

function joinBy<Value>(
  values: readonly Value[],
  keyOf: (value: Value) => string | number,
  merge: (values: Several<Value>) => Value,
): Value[] {
  const groups = new Map<string | number, [Value, ...Value[]]>()
  for (const value of values) {
    const group = groups.get(keyOf(value))
    if (group === undefined) groups.set(keyOf(value), [value])
    else group.push(value)
  }
  return [...groups.values()].map((group) => (group.length === 1 ? group[0] : merge(group)))
}

function mergeHistograms(encoded: readonly (EncodedHistogram | undefined)[]): EncodedHistogram | undefined {
  const some = encoded.filter((one) => one !== undefined)
  return some.length === 0 ? undefined : mergeSome(some)
}

/** Merging is synchronous: one histogram to merge in serves all. */
const scratch = new Histogram()

function mergeSome(encoded: readonly EncodedHistogram[]): EncodedHistogram {
  scratch.reset()
  for (const one of encoded) scratch.add(one)
  return scratch.encode()
}

function lastOf<Value>(values: Several<Value>): Value {
  return values[values.length - 1] ?? values[0]
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function max(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0)
}
