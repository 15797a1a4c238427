import type { Share } from '../charts/donut-slices.ts'
import { percent, text } from '../format.ts'
import { type TimeRange, total } from '../store/figures.ts'
import { type SeriesStore, seriesName } from '../store/series.ts'

const KINDS = [
  ['httpErrors', 'HTTP'],
  ['applicationErrors', 'application'],
  ['databaseErrors', 'database'],
] as const

/** Which services errors come from: those that report themselves, and those that the gateway had requests for. */
export function errorShares(series: SeriesStore, range: TimeRange): readonly Share[] {
  const names = [...series.subjects('service'), ...series.subjects('at-gateway')].map(([service = '']) => service)
  return [...new Set(names)].map((service) => shareOf(series, service, range))
}

function shareOf(series: SeriesStore, service: string, range: TimeRange): Share {
  const name = (figure: string) => seriesName('service', service, figure)
  const atGateway = (figure: string) => total(series, seriesName('at-gateway', service, figure), range)
  // What a dead service cannot report. A request may be in both counts, so that the larger is taken, not the sum.
  const failed = atGateway('failed')
  const reported = KINDS.map(([figure, word]) => ({ word, value: total(series, name(figure), range) }))
  const kinds = reported.map((kind) =>
    kind.word === 'HTTP' && failed > kind.value ? { ...kind, value: failed } : kind,
  )
  const value = kinds.reduce((sum, kind) => sum + kind.value, 0)
  const requests = Math.max(total(series, name('requestsPerSecond'), range), atGateway('perSecond'))
  const work = requests + total(series, name('eventsPerSecond'), range)
  const main = kinds.filter((kind) => kind.value > 0).map(({ word }) => word)
  const rate = work > 0 ? `${text(percent((value / work) * 100))} · ` : ''
  return { label: service, value, detail: `${rate}${main.join(', ')}` }
}
