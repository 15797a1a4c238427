import { delay } from '../core/index.ts'
import {
  FORWARDER,
  type FollowedEvent,
  follow,
  moveGroup,
  type OpenCluster,
  pauseGroup,
  type Replay,
  type ReplayStart,
  replayGroup,
  replaysPending,
  skipUnforwarded,
  type TopicState,
  topicStates,
} from '../runtime/index.ts'
import { cliError } from './errors.ts'
import { assertGroupKnown, withCluster } from './events.ts'
import { PAYLOAD_CHARACTERS_SHOWN, REPLAY_POLL_MS, REPLAY_TAKEN_MS, TAIL_EVENTS_SHOWN } from './limits.ts'
import { note, print, printJson, table } from './output.ts'
import { stopRequested } from './signals.ts'

/** `groundswell events topics`: what the log holds. */
export function showTopics({ json }: { readonly json?: boolean }): Promise<number> {
  return withCluster(async (cluster) => {
    const topics = await topicStates(cluster)
    if (json) printJson(topics)
    else if (topics.length === 0) print('Nothing was written yet.')
    else print(topicTable(topics))
  })
}

export type TailArguments = {
  readonly json?: boolean
  readonly key?: string
  readonly group?: string
  readonly limit?: number
  readonly for?: number
}

/** `groundswell events tail`: events as they come, until there were enough of them or a signal asks to stop. */
export function tailTopic(topic: string, options: TailArguments): Promise<number> {
  const stop = stopRequested(note)
  return withCluster(async (cluster) => {
    const { json, key, group, limit = TAIL_EVENTS_SHOWN } = options
    await assertGroupKnown(cluster, group)
    await assertTopicKnown(cluster, topic)
    const signal = options.for === undefined ? stop : AbortSignal.any([stop, AbortSignal.timeout(options.for)])
    note(`Following ${topic}; Ctrl-C stops.`)
    let shown = 0
    const filters = { ...(key !== undefined && { key }), ...(group !== undefined && { group }) }
    for await (const event of follow(cluster, { topic, signal, ...filters })) {
      print(json ? JSON.stringify(event) : eventLine(event))
      shown += 1
      if (shown === limit) break
    }
    note(shown === limit ? `${limit} events were shown; --limit shows more.` : `${shown} events.`)
  })
}

export type ReplayArguments = {
  readonly json?: boolean
  readonly from: ReplayStart
  readonly topic?: string
  readonly shard?: number
  readonly asNew?: boolean
}

/** `groundswell events replay`: sends a group to another place of the log. */
export function replay(
  group: string,
  { json, from: start, topic, shard, asNew = false }: ReplayArguments,
): Promise<number> {
  return withCluster(async (cluster) => {
    await assertGroupKnown(cluster, group)
    const where = { ...(topic !== undefined && { topic }), ...(shard !== undefined && { shard }) }
    const replays = await replayGroup(cluster, { group, start, asNew, ...where })
    const pending = await untilTaken(cluster, group)
    if (json) {
      printJson({ group, replays, taken: pending.length === 0, pending })
      return
    }
    print(replayTable(replays))
    if (pending.length === 0) print(`\n${group} goes on from there.`)
    else print(`\nNobody works for ${group} on shard(s) ${pending.join(', ')} now: it begins there when somebody does.`)
  })
}

export type SkipArguments = {
  readonly json?: boolean
  readonly shard?: number
  readonly stream?: string
  readonly to?: number
}

/** `groundswell events skip`: accepts that events are lost, so that what waits behind them goes on. */
export function skip(group: string, options: SkipArguments): Promise<number> {
  const { json, shard, stream, to } = options
  return withCluster(async (cluster) => {
    await assertGroupKnown(cluster, group)
    const last = cluster.shards.length - 1
    if (shard !== undefined && shard > last) {
      throw cliError('CLI_SHARD_UNKNOWN', `there is no shard ${shard}; there are 0 to ${last}`)
    }
    if (group === FORWARDER) {
      await skipDropped(cluster, options)
      return
    }
    if (shard === undefined || stream === undefined || to === undefined) {
      throw cliError('CLI_OPTION_INVALID', `where ${group} is to go on needs all of --shard, --stream and --to`)
    }
    await moveGroup(cluster, { group, source: shard, stream, offset: to })
    if (json) printJson({ group, shard, stream, to })
    else print(`${group} goes on at offset ${to} of ${stream}, shard ${shard}.`)
  })
}

/** What retention dropped before it was forwarded is the same for all topics of a shard: nothing else is to be said. */
async function skipDropped(cluster: OpenCluster, { json, shard, stream, to }: SkipArguments): Promise<void> {
  if (stream !== undefined || to !== undefined) {
    throw cliError('CLI_OPTION_INVALID', `${FORWARDER} is moved to what the log still holds: only --shard can be said`)
  }
  const passed = await skipUnforwarded(cluster, shard)
  if (json) printJson({ group: FORWARDER, passed })
  else if (passed.length === 0) print('Nothing was dropped that waits to be forwarded.')
  else {
    const rows = passed.map((one) => [one.topic, String(one.shard), String(one.events), String(one.first)])
    print(table(['TOPIC', 'SHARD', 'LOST', 'GOES ON AT'], rows))
  }
}

/** `groundswell events pause` and `resume`. */
export function pause(
  group: string,
  { json, paused }: { readonly json?: boolean; readonly paused: boolean },
): Promise<number> {
  return withCluster(async (cluster) => {
    await assertGroupKnown(cluster, group)
    await pauseGroup(cluster, { group, paused })
    if (json) printJson({ group, paused })
    else if (paused)
      print(`${group} is paused: what is written waits in the log. \`groundswell events resume ${group}\` ends it.`)
    else print(`${group} goes on.`)
  })
}

/** Shards on which nobody has taken the replay in time. */
async function untilTaken(cluster: OpenCluster, group: string): Promise<readonly number[]> {
  const endsAtMs = performance.now() + REPLAY_TAKEN_MS
  for (;;) {
    const pending = await replaysPending(cluster, group)
    if (pending.length === 0 || performance.now() > endsAtMs) return pending
    await delay(REPLAY_POLL_MS)
  }
}

async function assertTopicKnown(cluster: OpenCluster, topic: string): Promise<void> {
  const known = [...new Set((await topicStates(cluster)).map((one) => one.topic))]
  if (known.includes(topic)) return
  const list = known.length === 0 ? 'nothing was written yet' : `there is: ${known.join(', ')}`
  throw cliError('CLI_TOPIC_UNKNOWN', `there is no topic "${topic}"; ${list}`)
}

function topicTable(topics: readonly TopicState[]): string {
  const rows = [...Map.groupBy(topics, ({ topic }) => topic)].map(([topic, shards]) => {
    const sum = (count: (one: TopicState) => number) => shards.reduce((total, one) => total + count(one), 0)
    const oldest = shards.map(({ oldestAt }) => oldestAt?.getTime() ?? Number.POSITIVE_INFINITY)
    const first = Math.min(...oldest)
    const groups = [...new Set(shards.flatMap((one) => one.groups))].join(', ') || '-'
    return [
      topic,
      sum(({ end }) => end),
      sum(({ end, first: kept }) => end - kept),
      sum(({ delayed }) => delayed),
      Number.isFinite(first) ? new Date(first).toISOString() : '-',
      groups,
    ]
  })
  return table(['TOPIC', 'EVENTS', 'KEPT', 'DELAYED', 'KEPT SINCE', 'GROUPS'], rows)
}

function replayTable(replays: readonly Replay[]): string {
  return table(
    ['TOPIC', 'SHARD', 'WAS AT', 'GOES TO', 'AGAIN'],
    replays.map(({ topic, shard, committed, from }) => [topic, shard, committed, from, Math.max(0, committed - from)]),
  )
}

function eventLine({ occurredAtMs, shard, offset, key, id, version, payload }: FollowedEvent): string {
  const text = JSON.stringify(payload)
  const shown = text.length > PAYLOAD_CHARACTERS_SHOWN ? `${text.slice(0, PAYLOAD_CHARACTERS_SHOWN)}…` : text
  return `${new Date(occurredAtMs).toISOString()}  ${shard}/${offset}  key=${key}  ${id}  v${version}  ${shown}`
}
