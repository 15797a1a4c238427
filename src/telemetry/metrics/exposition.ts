import { setImmediate as turn } from 'node:timers/promises'
import type { TextPage } from '../../core/index.ts'
import { SCRAPE_CHUNK_CHARACTERS } from '../limits.ts'
import type { Metrics } from './catalog.ts'
import { type Family, HistogramSeries, type MetricSpec, type ValueSeries } from './metric.ts'

/** `GET /metrics`, whoever serves it. */
export function metricsPage(metrics: Metrics): TextPage {
  return {
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    async *read() {
      noteOverflow(metrics)
      for (const piece of exposition(metrics)) {
        yield piece
        await turn()
      }
    },
  }
}

/**
 * Prometheus' text format, in pieces of about SCRAPE_CHUNK_CHARACTERS: whoever sends them gives way to requests in
 * between. Metrics without series are left out.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function* exposition(metrics: Metrics): Generator<string> {
  let text = ''
  for (const family of familiesOf(metrics)) {
    let isFirst = true
    for (const series of family.all()) {
      if (isFirst) text += headOf(family.spec)
      isFirst = false
      text += linesOf(family.spec, series)
      if (text.length < SCRAPE_CHUNK_CHARACTERS) continue
      yield text
      text = ''
    }
  }
  if (text !== '') yield text
}

function familiesOf(metrics: Metrics): readonly Family<HistogramSeries | ValueSeries>[] {
  return Object.values(metrics)
}

function noteOverflow(metrics: Metrics): void {
  for (const family of familiesOf(metrics)) {
    if (family.isOverflowing) metrics.overflowing.series(family.spec.name).set(1)
  }
}

function headOf({ name, help, type }: MetricSpec): string {
  return `# HELP ${name} ${help}.\n# TYPE ${name} ${type}\n`
}

function linesOf(spec: MetricSpec, series: HistogramSeries | ValueSeries): string {
  if (series instanceof HistogramSeries) return histogramLines(spec, series)
  return `${spec.name}${braced(series.labels)} ${series.value}\n`
}

function histogramLines({ name, bounds = [], scale = 1 }: MetricSpec, series: HistogramSeries): string {
  const prefix = series.labels === '' ? '' : `${series.labels},`
  let count = 0
  let lines = ''
  for (let index = 0; index <= bounds.length; index++) {
    count += series.counts[index] ?? 0
    lines += `${name}_bucket{${prefix}le="${bounds[index] ?? '+Inf'}"} ${count}\n`
  }
  const labels = braced(series.labels)
  return `${lines}${name}_sum${labels} ${series.sum / scale}\n${name}_count${labels} ${count}\n`
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`
}
