import { Panel } from '../parts/panel.tsx'
import { useLive } from '../store/live.ts'
import { AlertList, DegradationList } from './alert-list.tsx'
import { VerdictLine } from './verdict-line.tsx'

export function AlertsView() {
  const { state } = useLive()
  const firing = state?.alerts.filter((alert) => alert.state === 'firing').length ?? 0
  return (
    <>
      <VerdictLine />
      <div className="sheet">
        <Panel title="Alerts" area="span-8" note={`${firing} firing; resolved ones of the last day`}>
          <AlertList />
        </Panel>
        <Panel title="Degradations" area="span-4" note="what goes on, but worse than it should">
          <DegradationList />
        </Panel>
      </div>
    </>
  )
}
