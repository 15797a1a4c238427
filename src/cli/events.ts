import { GroundswellError } from '../core/index.ts'
import {
  type DeadLetter,
  deadLetters,
  groupNames,
  type Lag,
  lag,
  lagAtBroker,
  type OpenCluster,
  openData,
  outboxDepth,
  type ParkedCounts,
  type PartitionLag,
  parkedCounts,
  redrive,
} from '../runtime/index.ts'
import { cliError } from './errors.ts'
import { DEAD_LETTERS_SHOWN, ERROR_CHARACTERS_SHOWN } from './limits.ts'
import { note, print, printJson, table } from './output.ts'

/** `groundswell events lag`: how far each group is behind, and what waits for the sequencer. */
export function showLag(options: {
  readonly json?: boolean
  readonly byShard?: boolean
  readonly group?: string
}): Promise<number> {
  return withCluster(async (cluster) => {
    const [logs, outbox, { carried, brokerError }, kept] = await Promise.all([
      lag(cluster),
      outboxDepth(cluster),
      lagCarried(cluster),
      parkedCounts(cluster),
    ])
    await assertGroupKnown(cluster, options.group)
    const isAsked = ({ group }: { readonly group: string }) => options.group === undefined || group === options.group
    const groups = logs.filter(isAsked)
    const partitions = carried.filter(isAsked)
    const parked = kept.filter(isAsked)
    if (options.json) {
      printJson({ groups, outbox, partitions, parked, ...(brokerError === undefined ? {} : { brokerError }) })
      return
    }
    if (groups.length > 0 || partitions.length === 0) print(options.byShard ? lagByShard(groups) : lagByTopic(groups))
    if (partitions.length > 0) print(`\n${lagByPartition(partitions)}`)
    if (parked.length > 0) print(`\nRead, and not processed yet:\n${parkedTable(parked)}`)
    const waiting = outbox.reduce((sum, { events }) => sum + events, 0)
    const oldest = Math.max(0, ...outbox.map(({ oldestAgeSeconds }) => oldestAgeSeconds))
    print(`\n${waiting} event(s) wait for the sequencer${waiting === 0 ? '' : `, the oldest for ${seconds(oldest)}`}.`)
  })
}

type Carried = { readonly carried: readonly PartitionLag[]; readonly brokerError?: string }

/** While the broker is away, which is when somebody looks, what the log knows is shown all the same. */
async function lagCarried(cluster: OpenCluster): Promise<Carried> {
  try {
    return { carried: await lagAtBroker(cluster, process.env) }
  } catch (error) {
    if (!(error instanceof GroundswellError && error.code === 'EVENTS_BROKER_UNAVAILABLE')) throw error
    note(`The broker does not answer, so that what groups have still to read there is unknown: ${error.message}`)
    return { carried: [], brokerError: error.message }
  }
}

/** `groundswell events dlq`: events that exhausted their attempts, the latest first. */
export function showDeadLetters(options: {
  readonly json?: boolean
  readonly group?: string
  readonly limit?: number
}): Promise<number> {
  return withCluster(async (cluster) => {
    await assertGroupKnown(cluster, options.group)
    const limit = options.limit ?? DEAD_LETTERS_SHOWN
    const letters = await deadLetters(cluster, {
      limit,
      ...(options.group === undefined ? {} : { group: options.group }),
    })
    if (options.json) printJson(letters)
    else if (letters.length === 0) print('There are no dead letters.')
    else print(deadLetterTable(letters))
  })
}

/** `groundswell events redrive`: sends dead letters to their handlers again, of one group or of all. */
export function redriveDeadLetters(options: {
  readonly json?: boolean
  readonly group?: string
  readonly id?: string
}): Promise<number> {
  return withCluster(async (cluster) => {
    await assertGroupKnown(cluster, options.group)
    const redriven: Record<string, number> = {}
    for await (const group of groupsToRedrive(cluster, options.group)) {
      const count = await redrive(cluster, { group, ...(options.id === undefined ? {} : { id: options.id }) })
      if (count > 0) redriven[group] = count
    }
    const total = Object.values(redriven).reduce((sum, count) => sum + count, 0)
    if (options.json) printJson({ total, groups: redriven })
    else if (total === 0) print('There was nothing to redrive.')
    else print(table(['GROUP', 'REDRIVEN'], Object.entries(redriven)))
  })
}

/**
 * The given group, or every group with dead letters: a listing is bounded, so it is asked again until it names no new
 * one.
 */
async function* groupsToRedrive(cluster: OpenCluster, group: string | undefined): AsyncGenerator<string> {
  if (group !== undefined) {
    yield group
    return
  }
  const seen = new Set<string>()
  for (;;) {
    const found = new Set((await deadLetters(cluster)).map((letter) => letter.group))
    const unseen = [...found].filter((name) => !seen.has(name))
    if (unseen.length === 0) return
    for (const name of unseen) {
      seen.add(name)
      yield name
    }
  }
}

/** A group is known once it has run. Throws CLI_GROUP_UNKNOWN: a misspelt name would look like no trouble. */
export async function assertGroupKnown(cluster: OpenCluster, group: string | undefined): Promise<void> {
  if (group === undefined) return
  const known = await groupNames(cluster)
  if (known.includes(group)) return
  const list = known.length === 0 ? 'none has run yet' : `there is: ${known.join(', ')}`
  throw cliError('CLI_GROUP_UNKNOWN', `there is no consumer group "${group}"; ${list}`)
}

export async function withCluster(run: (cluster: OpenCluster) => Promise<void>): Promise<number> {
  const { cluster, close } = await openData(process.env)
  try {
    await run(cluster)
    return 0
  } finally {
    await close()
  }
}

function lagByShard(groups: readonly Lag[]): string {
  return table(
    ['GROUP', 'TOPIC', 'SHARD', 'COMMITTED', 'END', 'LAG', 'OLDEST', 'STATE'],
    groups.map((one) => [
      one.group,
      one.topic,
      one.shard,
      one.committed,
      one.end,
      one.lag,
      seconds(one.oldestAgeSeconds),
      stateOf([one]),
    ]),
  )
}

function lagByTopic(groups: readonly Lag[]): string {
  const topics = Map.groupBy(groups, ({ group, topic }) => `${group} ${topic}`)
  const rows = [...topics.values()].map((shards) => {
    const behind = shards.filter((one) => one.lag > 0)
    const lagging = behind.reduce((sum, one) => sum + one.lag, 0)
    const oldest = Math.max(0, ...behind.map((one) => one.oldestAgeSeconds))
    const where = behind.map((one) => one.shard).join(', ') || '-'
    return [shards[0]?.group ?? '', shards[0]?.topic ?? '', lagging, seconds(oldest), where, stateOf(shards)]
  })
  return table(['GROUP', 'TOPIC', 'LAG', 'OLDEST', 'SHARDS BEHIND', 'STATE'], rows)
}

/** What keeps a group from going on, as `groundswell events resume` and `replay` can end it. */
function stateOf(shards: readonly Lag[]): string {
  const missed = shards.reduce((sum, one) => sum + one.missed, 0)
  if (missed > 0) return `missed ${missed}`
  if (shards.some((one) => one.isPaused)) return 'paused'
  return shards.some((one) => one.isReplaying) ? 'replaying' : '-'
}

/** By group and topic, at the broker. */
function lagByPartition(rows: readonly PartitionLag[]): string {
  const topics = Map.groupBy(rows, ({ group, topic }) => `${group} ${topic}`)
  const lines = [...topics.values()].map((partitions) => {
    const behind = partitions.filter(({ messages }) => messages > 0)
    const messages = behind.reduce((sum, one) => sum + one.messages, 0)
    const oldest = Math.max(0, ...behind.map((one) => one.oldestAgeSeconds))
    const where = behind.map((one) => one.partition).join(', ') || '-'
    return [partitions[0]?.group ?? '', partitions[0]?.topic ?? '', messages, seconds(oldest), where]
  })
  return table(['GROUP', 'TOPIC', 'LAG', 'OLDEST', 'PARTITIONS BEHIND'], lines)
}

/** Events that failed are no lag: their groups have gone on with those of other keys. */
function parkedTable(parked: readonly ParkedCounts[]): string {
  return table(
    ['GROUP', 'TOPIC', 'RETRYING', 'WAITING', 'DEAD'],
    parked.map(({ group, topic, retrying, waiting, dead }) => [group, topic, retrying, waiting, dead]),
  )
}

function deadLetterTable(letters: readonly DeadLetter[]): string {
  return table(
    ['GROUP', 'TOPIC', 'KEY', 'EVENT ID', 'ATTEMPTS', 'WAITING', 'LAST FAILED', 'ERROR'],
    letters.map((letter) => [
      letter.group,
      letter.topic,
      letter.key,
      letter.id,
      letter.attempts,
      letter.waiting,
      letter.lastFailedAt.toISOString(),
      oneLine(letter.error),
    ]),
  )
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ')
  return line.length > ERROR_CHARACTERS_SHOWN ? `${line.slice(0, ERROR_CHARACTERS_SHOWN)}…` : line
}

function seconds(value: number): string {
  return value === 0 ? '-' : `${value.toFixed(1)} s`
}
