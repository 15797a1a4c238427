import type { GroupState, PlacePosition } from '../../../src/console/index.ts'
import { count, seconds, text } from '../format.ts'
import { AskTwice } from '../parts/ask-twice.tsx'
import { number, Quiet } from '../parts/columns.tsx'
import { Drawer } from '../parts/drawer.tsx'
import { Figure } from '../parts/figure.tsx'
import { Empty } from '../parts/panel.tsx'
import { type Column, SortableTable } from '../parts/sortable-table.tsx'
import { total } from '../store/figures.ts'
import { useLive } from '../store/live.ts'
import { setParameters } from '../store/router.ts'
import { seriesName } from '../store/series.ts'
import { StateWord } from './group-table.tsx'
import { pause, redrive } from './operations.ts'

type GroupDrawerProps = { readonly name: string; readonly group: GroupState | undefined }

/** One group beside the page: what it is doing, where it is behind, and what an operator may do about it. */
export function GroupDrawer({ name, group }: GroupDrawerProps) {
  return (
    <Drawer title={name} onClose={() => setParameters({ group: '' })}>
      {group === undefined ? (
        <Empty headline="There is no such group">It appears once it has run.</Empty>
      ) : (
        <>
          <GroupFacts group={group} />
          <GroupActs group={group} />
          <PlaceTable group={group} />
        </>
      )}
    </Drawer>
  )
}

function GroupFacts({ group: { group, state, topics } }: { readonly group: GroupState }) {
  const { series, range } = useLive()
  const failures = total(series, seriesName('service', group, 'applicationErrors'), range)
  const retrying = sumOf(topics.map((topic) => topic.retrying))
  const attempts = Math.max(0, ...topics.map((topic) => topic.attempts))
  const missed = sumOf(topics.map((topic) => topic.missed))
  return (
    <dl className="facts">
      <Fact name="state">
        <StateWord state={state} />
      </Fact>
      <Fact name="failures">{text(count(Math.round(failures)))} in the time on screen</Fact>
      <Fact name="retrying">
        {retrying === 0 ? 'none' : `${text(count(retrying))}, with up to ${attempts} attempts so far`}
      </Fact>
      <Fact name="dead letters">
        {text(count(deadOf(topics)))}, behind failed ones wait {text(count(sumOf(topics.map((one) => one.waiting))))}
      </Fact>
      {missed > 0 && (
        <Fact name="missed">
          <span className="figure red">{text(count(missed))}</span> were dropped for their age before it had them: it
          stops until it is moved on by events replay
        </Fact>
      )}
    </dl>
  )
}

function Fact({ name, children }: { readonly name: string; readonly children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

function GroupActs({ group: { group, state, topics } }: { readonly group: GroupState }) {
  const isPaused = state === 'paused'
  return (
    <p className="acts">
      {isPaused ? (
        <AskTwice
          key="resume"
          label="Resume …"
          question="It goes on with what waits, at once."
          yes="Resume it"
          no="Not yet"
          act={() => pause(group, false)}
        />
      ) : (
        <AskTwice
          key="pause"
          label="Pause …"
          question="Its events wait in the log, in every process, until it is resumed."
          yes="Pause it"
          no="Let it run"
          isDanger
          act={() => pause(group, true)}
        />
      )}
      <RedriveAll group={group} dead={deadOf(topics)} />
    </p>
  )
}

export function RedriveAll({ group, dead }: { readonly group: string; readonly dead: number }) {
  if (dead === 0) return null
  return (
    <AskTwice
      label={dead === 1 ? 'Redrive it …' : `Redrive all ${text(count(dead))} …`}
      question="Attempts begin again; what waits behind follows in order."
      yes="Redrive"
      no="Not yet"
      act={() => redrive(group)}
    />
  )
}

type PlaceRow = PlacePosition & { readonly topic: string }

const columns: readonly Column<PlaceRow>[] = [
  { id: 'topic', label: 'Topic', value: (row) => row.topic, cell: (row) => row.topic },
  { id: 'place', label: 'Where', value: placeOf, cell: placeOf },
  offset('committed', 'Next'),
  offset('end', 'End'),
  number('lag', 'Waiting', { value: (row) => row.lag, quantity: count }),
  number('oldest', 'Oldest', { value: (row) => row.oldestAgeSeconds, quantity: seconds }),
]

/** A broker tells of no offsets. */
function offset(id: 'committed' | 'end', label: string): Column<PlaceRow> {
  return {
    id,
    label,
    isNumber: true,
    value: (row) => row[id] ?? -1,
    cell: (row) => (row[id] === undefined ? <Quiet>–</Quiet> : <Figure quantity={count(row[id])} tone="" />),
  }
}

function placeOf({ shard, partition, isUnknown }: PlaceRow): string {
  if (isUnknown) return 'its broker does not answer'
  return partition === undefined ? `shard ${shard}` : `partition ${partition}`
}

function PlaceTable({ group: { topics } }: { readonly group: GroupState }) {
  const rows = topics.flatMap(({ topic, places }) => places.map((place): PlaceRow => ({ topic, ...place })))
  return (
    <SortableTable
      id="positions"
      caption="What waits, by topic and shard or partition"
      columns={columns}
      rows={rows}
      keyOf={(row) => `${row.topic} ${placeOf(row)}`}
      initial={{ column: 'lag', direction: 'descending' }}
      classOf={({ lag }) => (lag === 0 ? 'idle' : '')}
    />
  )
}

function deadOf(topics: GroupState['topics']): number {
  return sumOf(topics.map(({ dead }) => dead))
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}
