import { CalmDonut, Donut } from '../charts/donut.tsx'
import type { Share } from '../charts/donut-slices.ts'
import { count, percent, text } from '../format.ts'
import { Panel } from '../parts/panel.tsx'
import { type TimeRange, total } from '../store/figures.ts'
import { useLive } from '../store/live.ts'
import { type SeriesStore, seriesName } from '../store/series.ts'

/** Which service errors come from, and what share of its requests and events they are. */
export function ErrorPanel() {
  const { series, range } = useLive()
  const shares = series.subjects('service').map(([service = '']) => shareOf(series, service, range))
  const requests = total(series, seriesName('all', 'perSecond'), range)
  const isCalm = shares.every(({ value }) => value === 0)
  return (
    <Panel title="Service Error Rates" area="span-4" note="HTTP, application, database">
      {isCalm ? (
        <CalmDonut headline="No errors" detail={`${text(count(requests))} requests in this time, all answered.`} />
      ) : (
        <Donut shares={shares} unit="errors" />
      )}
    </Panel>
  )
}

const KINDS = [
  ['httpErrors', 'HTTP'],
  ['applicationErrors', 'application'],
  ['databaseErrors', 'database'],
] as const

function shareOf(series: SeriesStore, service: string, range: TimeRange): Share {
  const name = (figure: string) => seriesName('service', service, figure)
  const kinds = KINDS.map(([figure, word]) => ({ word, value: total(series, name(figure), range) }))
  const value = kinds.reduce((sum, kind) => sum + kind.value, 0)
  const work = total(series, name('requestsPerSecond'), range) + total(series, name('eventsPerSecond'), range)
  const main = kinds.filter((kind) => kind.value > 0).map(({ word }) => word)
  const rate = work > 0 ? `${text(percent((value / work) * 100))} · ` : ''
  return { label: service, value, detail: `${rate}${main.join(', ')}` }
}
