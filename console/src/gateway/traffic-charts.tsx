import type { GatewayConfiguration } from '../../../src/console/index.ts'
import { TimeChart } from '../charts/time-chart.tsx'
import { duration, rate, text } from '../format.ts'
import { Panel } from '../parts/panel.tsx'
import { useLive } from '../store/live.ts'
import { setParameters, useAddress } from '../store/router.ts'
import { latencyLines } from '../views/lines.ts'
import { InForcePanel } from './in-force-panel.tsx'
import { type Names, namesOf, type ScopeKind, type Subject } from './scope.ts'
import { EVERYTHING, latencyName, OTHERS, statusCounts, statusLines } from './traffic.ts'

/** The course of what is chosen in the tables: answers by their status, and latency. Everything when nothing is. */
export function TrafficCharts({ configuration }: { readonly configuration: GatewayConfiguration }) {
  const { series, range } = useLive()
  const subject = useSubject()
  const counts = statusCounts(series, subject, range)
  const name = subjectName(subject, namesOf(configuration))
  return (
    <>
      <Panel title="Requests by status" area="span-4" note={name} actions={<ShowAll subject={subject} />}>
        <TimeChart
          label={`Answers a second by status: ${name}`}
          lines={statusLines(subject, counts)}
          format={(value) => text(rate(value))}
          height={150}
          empty="No request in this time."
        />
      </Panel>
      <Panel title="Latency" area="span-4" note={name}>
        <TimeChart
          label={`Latency: ${name}`}
          lines={latencyLines(...latencyName(subject).split('|'))}
          format={(value) => text(duration(value))}
          height={150}
          empty="No request in this time."
        />
      </Panel>
      <InForcePanel configuration={configuration} subject={subject} />
    </>
  )
}

function ShowAll({ subject }: { readonly subject: Subject }) {
  if (subject.kind === 'all') return null
  return (
    <button type="button" className="more" onClick={() => setParameters({ of: '' })}>
      All requests
    </button>
  )
}

/** What of the tables is chosen, from the address. */
export function useSubject(): Subject {
  const { of = '' } = useAddress().parameters
  const [, kind, id = ''] = /^(service|route|consumer):(.*)$/.exec(of) ?? []
  return kind === undefined ? EVERYTHING : { kind: kind as Subject['kind'], id }
}

export function choose({ kind, id }: Subject): void {
  setParameters({ of: `${kind}:${id}` })
}

function subjectName({ kind, id }: Subject, names: Names): string {
  if (kind === 'all') return 'all requests through the gateway'
  return id === '' || id === OTHERS ? nobody(kind, id) : `${kind} ${names[kind](id)}`
}

/** What requests are called that have no such entity, or one of those that are not told apart. */
export function nobody(kind: ScopeKind, id: string): string {
  return id === OTHERS ? `other ${kind}s` : NOBODY[kind]
}

const NOBODY = { service: 'no service', route: 'no route matched', consumer: 'no consumer' } as const
