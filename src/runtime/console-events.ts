import type { EventsPort } from '../console/index.ts'
import type { Cluster } from '../data/index.ts'
import { deadLetters, lag, outboxDepth, parkedCounts, pauseGroup, redrive } from '../events/index.ts'

/** The event log of these databases, for the console. */
export function consoleEvents(cluster: Cluster): EventsPort {
  return {
    positions: () => lag(cluster),
    parked: () => parkedCounts(cluster),
    outbox: () => outboxDepth(cluster),
    deadLetters: (options) => deadLetters(cluster, options),
    redrive: (options) => redrive(cluster, options),
    pause: (options) => pauseGroup(cluster, options),
  }
}
