import type { EventsPort, GroupPosition } from '../console/index.ts'
import { delay, GroundswellError } from '../core/index.ts'
import type { Cluster } from '../data/index.ts'
import {
  type BrokerUse,
  brokerLag,
  deadLetters,
  groupsAtBroker,
  lag,
  outboxDepth,
  parkedCounts,
  pauseGroup,
  redrive,
} from '../events/index.ts'
import { BROKER_LAG_MS } from './limits.ts'

/** The event log of these databases, and the broker that carries it, for the console. */
export function consoleEvents(cluster: Cluster, broker?: Pick<BrokerUse, 'engine'>): EventsPort {
  return {
    async positions() {
      const [logs, carried] = await Promise.all([
        lag(cluster),
        broker === undefined ? [] : positionsAt(broker, cluster),
      ])
      return [...logs, ...carried]
    },
    parked: () => parkedCounts(cluster),
    outbox: () => outboxDepth(cluster),
    deadLetters: (options) => deadLetters(cluster, options),
    redrive: (options) => redrive(cluster, options),
    pause: (options) => pauseGroup(cluster, options),
  }
}

/** While the broker is away its groups are there all the same, for an operator to pause and redrive. */
async function positionsAt({ engine }: Pick<BrokerUse, 'engine'>, cluster: Cluster): Promise<readonly GroupPosition[]> {
  const asked = brokerLag(cluster, engine).catch((error: unknown) => {
    if (error instanceof GroundswellError && error.code === 'EVENTS_BROKER_UNAVAILABLE') return undefined
    throw error
  })
  const answer = await Promise.race([asked, delay(BROKER_LAG_MS).then(() => undefined)])
  if (answer !== undefined) return answer.map(({ messages, ...row }) => ({ ...row, ...NOTHING, lag: messages }))
  return (await groupsAtBroker(cluster)).flatMap(({ name, topics, isPaused }) =>
    topics.map((topic) => ({ group: name, topic, isPaused, ...NOTHING, oldestAgeSeconds: 0, isUnknown: true })),
  )
}

const NOTHING = { lag: 0, missed: 0, isReplaying: false }
