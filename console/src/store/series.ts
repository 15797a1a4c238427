import type { Frame, LatencySample, TrafficSample } from '../../../src/telemetry/index.ts'

/**
 * Frames as columns: one array of times and, per figure, an array beside it. Charts read columns as they are, and an
 * hour of a system of a few hundred figures is a few megabytes.
 */
export class SeriesStore {
  /** Ends of the samples, milliseconds since the Unix epoch, ascending. */
  readonly times: number[] = []
  /** The newest frame as it came. */
  latest: Frame | undefined
  private readonly columns = new Map<string, number[]>()
  private readonly retentionMs: number

  constructor(retentionMs: number) {
    this.retentionMs = retentionMs
  }

  /** Adds a frame that is newer than all others; says whether it was. */
  append(frame: Frame): boolean {
    const last = this.times.at(-1)
    if (last !== undefined && frame.atMs <= last) return false
    this.latest = frame
    this.times.push(frame.atMs)
    for (const column of this.columns.values()) column.push(Number.NaN)
    for (const [name, value] of figuresOf(frame)) this.columnFor(name)[this.times.length - 1] = value ?? Number.NaN
    this.trim(frame.atMs - this.retentionMs)
    return true
  }

  /** A figure over time; NaN where it is unknown. Empty when it never was. */
  column(name: string): readonly number[] {
    return this.columns.get(name) ?? []
  }

  /** The parts of the names that are between `prefix|` and the figure: `['order-service', 'POST /orders']`. */
  subjects(prefix: string): readonly (readonly string[])[] {
    const found = new Set<string>()
    for (const name of this.columns.keys()) {
      if (name.startsWith(`${prefix}|`)) found.add(name.slice(prefix.length + 1, name.lastIndexOf('|')))
    }
    return [...found].sort().map((subject) => subject.split('|'))
  }

  /** Index of the first sample that ended after `atMs`. */
  indexAfter(atMs: number): number {
    let low = 0
    let high = this.times.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.times[middle] ?? 0) <= atMs) low = middle + 1
      else high = middle
    }
    return low
  }

  private columnFor(name: string): number[] {
    const existing = this.columns.get(name)
    if (existing !== undefined) return existing
    const column = new Array<number>(this.times.length).fill(Number.NaN)
    this.columns.set(name, column)
    return column
  }

  /** Drops what is too old, a minute's worth at a time: shifting every column each second would cost more. */
  private trim(beforeMs: number): void {
    const count = this.indexAfter(beforeMs)
    if (count < TRIM_COUNT) return
    this.times.splice(0, count)
    for (const [name, column] of this.columns) {
      column.splice(0, count)
      if (column.every(Number.isNaN)) this.columns.delete(name)
    }
  }
}

const TRIM_COUNT = 60

/** The name of a column: what kind, whose, which figure. */
export function seriesName(...parts: readonly (string | number)[]): string {
  return parts.join('|')
}

type Figure = readonly [name: string, value: number | undefined]

function figuresOf(frame: Frame): readonly Figure[] {
  return [
    ...latency('all', frame.all),
    ...frame.routes.flatMap((route) => {
      const name = seriesName('route', route.service, route.route)
      return [...latency(name, route), [seriesName(name, 'errors'), route.errors] as const]
    }),
    ...frame.journeys.flatMap((journey) => latency(seriesName('journey', journey.journey), journey)),
    ...frame.services.flatMap(({ service, ...figures }) => numbers(seriesName('service', service), figures)),
    ...frame.instances.flatMap(({ instance, services: _, ...figures }) =>
      numbers(seriesName('instance', instance), figures),
    ),
    ...frame.lag.flatMap(({ topic, group, ...figures }) => numbers(seriesName('lag', topic, group), figures)),
    ...frame.traffic.flatMap(trafficOf),
    ...statusesOfAll(frame),
    ...frame.rejections.map((rejection): Figure => {
      return [seriesName('rejection', rejection.plugin, 'perSecond'), rejection.perSecond]
    }),
    ...frame.shards.flatMap(({ shard, ...figures }) => numbers(seriesName('shard', shard), figures)),
  ]
}

function trafficOf({ kind, id, name: service, statuses, ...sample }: TrafficSample): readonly Figure[] {
  const name = seriesName('traffic', kind, id)
  const sum = (from: number, below: number) =>
    Object.entries(statuses).reduce((all, [status, value]) => all + (+status >= from && +status < below ? value : 0), 0)
  const failed = sum(500, 1000)
  return [
    ...latency(name, sample),
    [seriesName(name, 'refused'), sum(400, 500)],
    [seriesName(name, 'failed'), failed],
    ...(service === '' ? [] : numbers(seriesName('at-gateway', service), { perSecond: sample.perSecond, failed })),
    ...statusFigures(seriesName(kind, id), statuses),
  ]
}

/** Every request is for one service, or for none. */
function statusesOfAll({ traffic }: Frame): readonly Figure[] {
  const sums: Record<string, number> = {}
  for (const { kind, statuses } of traffic) {
    if (kind !== 'service') continue
    for (const [status, value] of Object.entries(statuses)) sums[status] = (sums[status] ?? 0) + value
  }
  return statusFigures(seriesName('all', ''), sums)
}

function statusFigures(subject: string, statuses: Readonly<Record<string, number>>): readonly Figure[] {
  return Object.entries(statuses).map(([status, value]) => [seriesName('status', subject, status, 'perSecond'), value])
}

function latency(name: string, { perSecond, p50Ms, p90Ms, p95Ms, p99Ms }: LatencySample): readonly Figure[] {
  return numbers(name, { perSecond, p50Ms, p90Ms, p95Ms, p99Ms })
}

function numbers(name: string, figures: Readonly<Record<string, number | undefined>>): readonly Figure[] {
  return Object.entries(figures).map(([figure, value]) => [seriesName(name, figure), value])
}
