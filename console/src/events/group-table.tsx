import type { GroupState } from '../../../src/console/index.ts'
import { Sparkline } from '../charts/sparkline.tsx'
import { count, rate, seconds } from '../format.ts'
import { number, Quiet } from '../parts/columns.tsx'
import { Figure } from '../parts/figure.tsx'
import { Empty } from '../parts/panel.tsx'
import { type Column, SortableTable } from '../parts/sortable-table.tsx'
import { setParameters, useAddress } from '../store/router.ts'
import { type GroupRow, lagName } from './group-rows.ts'
import { drainSeconds, progressTone, progressWords } from './progress.ts'

const columns: readonly Column<GroupRow>[] = [
  {
    id: 'group',
    label: 'Group',
    value: (row) => row.group,
    cell: ({ group }) => (
      <button type="button" className="plain" onClick={() => setParameters({ group })}>
        <b className="route">{group}</b>
      </button>
    ),
  },
  { id: 'topic', label: 'Topic', value: ({ topic }) => topic.topic, cell: ({ topic }) => topic.topic },
  { id: 'state', label: 'State', value: (row) => row.state, cell: ({ state }) => <StateWord state={state} /> },
  {
    id: 'trend',
    label: 'Waiting',
    cell: ({ topic, group }) => <Sparkline name={lagName(topic.topic, group, 'messages')} tone="accent" />,
  },
  {
    id: 'lag',
    label: 'Events',
    isNumber: true,
    value: ({ topic }) => topic.lag,
    cell: (row) => <Figure quantity={count(row.topic.lag)} tone={lagTone(row)} />,
  },
  {
    id: 'oldest',
    label: 'Oldest',
    isNumber: true,
    value: ({ topic }) => topic.oldestAgeSeconds,
    cell: (row) => <Figure quantity={seconds(row.topic.oldestAgeSeconds)} tone={lagTone(row)} />,
  },
  number('in', 'In', { value: (row) => row.writtenPerSecond, quantity: rate }),
  number('out', 'Out', { value: (row) => row.consumedPerSecond, quantity: rate }),
  {
    id: 'drain',
    label: 'Drained in',
    isNumber: true,
    value: (row) => drainSeconds(row.progress),
    cell: ({ progress }) => <span className={`figure ${progressTone(progress)}`}>{progressWords(progress)}</span>,
  },
  {
    id: 'retrying',
    label: 'Retrying',
    isNumber: true,
    value: ({ topic }) => topic.retrying,
    cell: ({ topic: { retrying, attempts } }) => (
      <span title={retrying === 0 ? undefined : `up to ${attempts} attempts so far`}>
        <Figure quantity={count(retrying)} tone={retrying > 0 ? 'orange' : 'quiet'} />
      </span>
    ),
  },
  {
    id: 'behind',
    label: 'Behind them',
    isNumber: true,
    value: ({ topic }) => topic.waiting,
    cell: ({ topic: { waiting } }) => <Figure quantity={count(waiting)} tone={waiting > 0 ? 'orange' : 'quiet'} />,
  },
  {
    id: 'dead',
    label: 'Dead',
    isNumber: true,
    value: ({ topic }) => topic.dead,
    cell: ({ topic: { dead } }) => <Figure quantity={count(dead)} tone={dead > 0 ? 'red' : 'quiet'} />,
  },
]

/** Every consumer group by topic: what waits, how fast it goes, and what failed. */
export function GroupTable({ rows, hasAny }: { readonly rows: readonly GroupRow[]; readonly hasAny: boolean }) {
  const { group: open } = useAddress().parameters
  if (rows.length === 0) {
    return hasAny ? (
      <Empty headline="No group fits">Change the filter to see the others.</Empty>
    ) : (
      <Empty headline="No consumer group has run yet">Services that consume events appear here.</Empty>
    )
  }
  return (
    <SortableTable
      id="groups"
      caption="Consumer groups by topic"
      columns={columns}
      rows={rows}
      keyOf={({ group, topic }) => `${group} ${topic.topic}`}
      initial={{ column: 'group', direction: 'ascending' }}
      classOf={({ group }) => (group === open ? 'selected' : '')}
    />
  )
}

const TONES = { running: 'green', paused: 'orange', replaying: 'orange', unknown: 'red' } as const

export function StateWord({ state }: { readonly state: GroupState['state'] }) {
  return <span className={`state ${TONES[state]}`}>{state === 'running' ? <Quiet>running</Quiet> : state}</span>
}

/** The bounds of the overview's panel. */
function lagTone({ topic: { oldestAgeSeconds } }: GroupRow): string {
  if (oldestAgeSeconds > 30) return 'red'
  return oldestAgeSeconds > 5 ? 'orange' : 'quiet'
}
