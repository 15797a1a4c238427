import type { EventStates, ShownDeadLetter } from '../../../src/console/index.ts'
import { Filter } from '../parts/filter.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { useLive } from '../store/live.ts'
import { useAddress } from '../store/router.ts'
import { DeadLetters } from './dead-letters.tsx'
import { EventCharts } from './event-charts.tsx'
import { EventFigures } from './event-figures.tsx'
import { GroupDrawer } from './group-drawer.tsx'
import { groupRows } from './group-rows.ts'
import { GroupTable } from './group-table.tsx'
import { useEvents } from './operations.ts'

/** Events: how far consumer groups are behind, what failed, and the buttons to do something about it. */
export function EventsView() {
  const events = useEvents()
  if (events.kind === 'ready') return <Groups states={events.states} deadLetters={events.deadLetters} />
  return (
    <div className="sheet">
      <Panel title="Events" area="span-12">
        {events.kind === 'failed' && <Empty headline="The event log cannot be read">{events.message}.</Empty>}
      </Panel>
    </div>
  )
}

type GroupsProps = { readonly states: EventStates; readonly deadLetters: readonly ShownDeadLetter[] }

function Groups({ states, deadLetters }: GroupsProps) {
  const { series, range } = useLive()
  const { filter = '', group = '' } = useAddress().parameters
  const rows = groupRows(states, series, range)
  const shownRows = rows.filter((row) => matches(filter, [row.group, row.topic.topic, row.state]))
  const shownLetters = deadLetters.filter((letter) =>
    matches(filter, [letter.group, letter.topic, letter.key, letter.error, letter.id, letter.payload]),
  )
  const dead = deadByGroup(states)
  // What waits for somebody comes before what goes by itself.
  const hasDead = dead.size > 0
  const deadPanel = (
    <Panel title="Dead letters" area="span-12" note="their key waits, for their group, until they are redriven">
      <DeadLetters letters={shownLetters} deadByGroup={dead} />
    </Panel>
  )
  return (
    <>
      <EventFigures rows={rows} outbox={states.outbox} />
      <div className="sheet">
        <EventCharts rows={rows} group={group} />
        {hasDead && deadPanel}
        <Panel
          title="Consumer groups"
          area="span-12"
          note="per topic, over all shards"
          actions={<Filter id="events-filter" placeholder="Group, topic, key, cause …  /" />}
        >
          <GroupTable rows={shownRows} hasAny={rows.length > 0} />
        </Panel>
        {!hasDead && deadPanel}
      </div>
      {group !== '' && (
        <GroupDrawer key={group} name={group} group={states.groups.find((one) => one.group === group)} />
      )}
    </>
  )
}

/** Every word of the filter is somewhere in these. */
function matches(filter: string, texts: readonly string[]): boolean {
  const all = texts.join(' ').toLowerCase()
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word))
}

function deadByGroup({ groups }: EventStates): ReadonlyMap<string, number> {
  const counts = groups.map(({ group, topics }) => [group, topics.reduce((sum, { dead }) => sum + dead, 0)] as const)
  return new Map(counts.filter(([, dead]) => dead > 0))
}
