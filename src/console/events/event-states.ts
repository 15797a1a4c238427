import type { EventsPort, GroupPosition, OutboxState, ParkedCount } from './events-port.ts'

/** How the consumer groups are, as the console shows it. */
export type EventStates = {
  readonly groups: readonly GroupState[]
  /** What waits for the sequencer, by shard. */
  readonly outbox: readonly OutboxState[]
}

export type GroupState = {
  readonly group: string
  readonly state: 'running' | 'paused' | 'replaying' | 'unknown'
  readonly topics: readonly TopicState[]
}

/** What a group has to do of one topic, over all shards or partitions. */
export type TopicState = {
  readonly topic: string
  readonly lag: number
  readonly missed: number
  readonly oldestAgeSeconds: number
  /** Failed events that are tried again, and the most attempts that one of them has had. */
  readonly retrying: number
  readonly attempts: number
  /** Events behind one of the same key that failed. */
  readonly waiting: number
  readonly dead: number
  readonly places: readonly PlacePosition[]
}

export type PlacePosition = Omit<GroupPosition, 'group' | 'topic' | 'isPaused'>

export async function readStates(events: EventsPort): Promise<EventStates> {
  const [positions, parked, outbox] = await Promise.all([events.positions(), events.parked(), events.outbox()])
  return { groups: groupsOf(positions, parked), outbox }
}

export function groupsOf(positions: readonly GroupPosition[], parked: readonly ParkedCount[]): readonly GroupState[] {
  const counts = new Map(parked.map((count) => [`${count.group} ${count.topic}`, count]))
  return [...Map.groupBy(positions, ({ group }) => group)].map(([group, ofGroup]) => {
    const topics = [...Map.groupBy(ofGroup, ({ topic }) => topic)].map(([topic, ofTopic]) =>
      topicOf(topic, ofTopic, counts.get(`${group} ${topic}`)),
    )
    return { group, state: stateOf(ofGroup), topics }
  })
}

/** A paused group does not replay either, until it is resumed. */
function stateOf(positions: readonly GroupPosition[]): GroupState['state'] {
  if (positions.some(({ isPaused }) => isPaused)) return 'paused'
  if (positions.some(({ isReplaying }) => isReplaying)) return 'replaying'
  return positions.some(({ isUnknown }) => isUnknown) ? 'unknown' : 'running'
}

function topicOf(topic: string, positions: readonly GroupPosition[], count: ParkedCount | undefined): TopicState {
  const sum = (read: (position: GroupPosition) => number) => positions.reduce((all, one) => all + read(one), 0)
  return {
    topic,
    lag: sum(({ lag }) => lag),
    missed: sum(({ missed }) => missed),
    oldestAgeSeconds: Math.max(0, ...positions.map(({ oldestAgeSeconds }) => oldestAgeSeconds)),
    retrying: count?.retrying ?? 0,
    attempts: count?.attempts ?? 0,
    waiting: count?.waiting ?? 0,
    dead: count?.dead ?? 0,
    places: positions.map(({ group: _, topic: __, isPaused: ___, ...place }) => place),
  }
}
