import { CalmDonut, Donut } from '../charts/donut.tsx'
import { count, text } from '../format.ts'
import { Panel } from '../parts/panel.tsx'
import { total } from '../store/figures.ts'
import { useLive } from '../store/live.ts'
import { seriesName } from '../store/series.ts'
import { errorShares } from './error-shares.ts'

/** Which service errors come from, and what share of its requests and events they are. */
export function ErrorPanel() {
  const { series, range } = useLive()
  const shares = errorShares(series, range)
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
