import { count, duration, percent, rate, seconds, text } from '../format.ts'
import { FigureList, type KeyFigure } from '../parts/figure-list.tsx'
import { highest, lastValue, recentRate, type TimeRange, total } from '../store/figures.ts'
import { useLive } from '../store/live.ts'
import { type SeriesStore, seriesName } from '../store/series.ts'

/** The numbers that one looks at first, each with its course. */
export function KeyFigures() {
  const { series, range } = useLive()
  const figures = [
    throughput(series, range),
    latency(series, range),
    errors(series, range),
    waiting(series, range),
    processor(series, range),
    connections(series, range),
  ]
  return <FigureList figures={figures} />
}

function throughput(series: SeriesStore, range: TimeRange): KeyFigure {
  const spark = seriesName('all', 'perSecond')
  const peak = text(rate(highest(series, spark, range)))
  return { label: 'Requests', quantity: rate(recentRate(series, spark, range)), detail: `peak ${peak}`, spark }
}

function latency(series: SeriesStore, range: TimeRange): KeyFigure {
  const spark = seriesName('all', 'p95Ms')
  const worst = text(duration(highest(series, spark, range)))
  return { label: 'P95', quantity: duration(lastValue(series, spark, range)), detail: `worst ${worst}`, spark }
}

function errors(series: SeriesStore, range: TimeRange): KeyFigure {
  const requests = total(series, seriesName('all', 'perSecond'), range)
  const failed = sumOf(series, 'service', (name) => total(series, seriesName(name, 'httpErrors'), range))
  const share = requests > 0 ? text(percent((failed / requests) * 100)) : '0%'
  return {
    label: 'HTTP errors',
    quantity: count(failed),
    detail: `${share} of ${text(count(requests))} requests`,
    tone: failed > 0 ? 'red' : undefined,
  }
}

function waiting(series: SeriesStore, range: TimeRange): KeyFigure {
  const messages = sumOf(series, 'lag', (name) => lastValue(series, seriesName(name, 'messages'), range) ?? 0)
  const ages = names(series, 'lag').map((name) => lastValue(series, seriesName(name, 'seconds'), range) ?? 0)
  const oldest = Math.max(0, ...ages)
  return {
    label: 'Events waiting',
    quantity: count(messages),
    detail: messages > 0 ? `oldest ${text(seconds(oldest))}` : 'all consumed',
  }
}

function processor(series: SeriesStore, range: TimeRange): KeyFigure {
  const shown = names(series, 'instance').map((name) => ({
    name: seriesName(name, 'cpuPercent'),
    value: lastValue(series, seriesName(name, 'cpuPercent'), range),
  }))
  const running = shown.filter((one) => one.value !== undefined)
  const hottest = running.reduce((most, one) => ((one.value ?? 0) > (most?.value ?? -1) ? one : most), running[0])
  return {
    label: 'CPU, hottest',
    quantity: percent(hottest?.value),
    detail: running.length === 1 ? '1 instance' : `${running.length} instances`,
    tone: (hottest?.value ?? 0) > 80 ? 'orange' : undefined,
    spark: hottest?.name,
  }
}

function connections(series: SeriesStore, range: TimeRange): KeyFigure {
  const value = (name: string, figure: string) => lastValue(series, seriesName(name, figure), range) ?? 0
  const busy = sumOf(series, 'shard', (name) => value(name, 'connectionsBusy'))
  const most = sumOf(series, 'shard', (name) => value(name, 'connectionsMax'))
  const queued = sumOf(series, 'shard', (name) => value(name, 'waiting'))
  return {
    label: 'Database connections',
    quantity: count(busy),
    detail: queued > 0 ? `of ${most}, ${queued} waiting` : `of ${most}, none waiting`,
    tone: queued > 0 ? 'orange' : undefined,
  }
}

function names(series: SeriesStore, kind: string): readonly string[] {
  return series.subjects(kind).map((subject) => seriesName(kind, ...subject))
}

function sumOf(series: SeriesStore, kind: string, value: (name: string) => number): number {
  return names(series, kind).reduce((sum, name) => sum + value(name), 0)
}
