import type { EventStates } from '../../../src/console/index.ts'
import { count, rate, seconds, text } from '../format.ts'
import { FigureList, type KeyFigure } from '../parts/figure-list.tsx'
import type { GroupRow } from './group-rows.ts'
import { drainSeconds, progressTone, progressWords } from './progress.ts'

export type EventFiguresProps = { readonly rows: readonly GroupRow[]; readonly outbox: EventStates['outbox'] }

/** The whole of it in six numbers. */
export function EventFigures({ rows, outbox }: EventFiguresProps) {
  return (
    <FigureList
      figures={[waiting(rows), written(rows), consumed(rows), drain(rows), outboxDepth(outbox), deadLetters(rows)]}
    />
  )
}

function waiting(rows: readonly GroupRow[]): KeyFigure {
  const oldest = Math.max(0, ...rows.map(({ topic }) => topic.oldestAgeSeconds))
  return {
    label: 'Events waiting',
    quantity: count(sumOf(rows, ({ topic }) => topic.lag)),
    detail: oldest === 0 ? 'all consumed' : `the oldest for ${text(seconds(oldest))}`,
    tone: oldest > 30 ? 'red' : oldest > 5 ? 'orange' : undefined,
  }
}

/** A topic's events come in once, however many groups consume them. */
function written(rows: readonly GroupRow[]): KeyFigure {
  const topics = new Map(rows.map(({ topic, writtenPerSecond }) => [topic.topic, writtenPerSecond]))
  const perSecond = [...topics.values()].reduce((sum, value) => sum + value, 0)
  return { label: 'In', quantity: rate(perSecond), detail: `of ${topics.size} topics` }
}

function consumed(rows: readonly GroupRow[]): KeyFigure {
  const groups = new Set(rows.map(({ group }) => group))
  const perSecond = sumOf(rows, ({ consumedPerSecond }) => consumedPerSecond)
  return { label: 'Out', quantity: rate(perSecond), detail: `by ${groups.size} groups` }
}

function drain(rows: readonly GroupRow[]): KeyFigure {
  const paused = new Set(rows.flatMap(({ group, state }) => (state === 'paused' ? [group] : [])))
  const running = rows.filter(({ state }) => state !== 'paused')
  const worst = running.toSorted((one, other) => drainSeconds(other.progress) - drainSeconds(one.progress))[0]
  const isBehind = worst !== undefined && worst.progress.kind !== 'even'
  const pausedWords = paused.size === 0 ? undefined : `${paused.size} paused`
  return {
    label: 'Drained in',
    quantity: { value: isBehind ? progressWords(worst.progress) : 'keeps up', unit: '' },
    detail: pausedWords ?? (isBehind ? worst.group : 'every group'),
    tone: isBehind ? progressTone(worst.progress) : paused.size > 0 ? 'orange' : undefined,
  }
}

function outboxDepth(outbox: EventStates['outbox']): KeyFigure {
  const events = outbox.reduce((sum, shard) => sum + shard.events, 0)
  const oldest = outbox.reduce((one, other) => (other.oldestAgeSeconds > one.oldestAgeSeconds ? other : one), {
    shard: 0,
    oldestAgeSeconds: 0,
  })
  return {
    label: 'Outbox',
    quantity: count(events),
    detail:
      events === 0 ? 'nothing before the log' : `${text(seconds(oldest.oldestAgeSeconds))} on shard ${oldest.shard}`,
    tone: oldest.oldestAgeSeconds > 5 ? 'orange' : undefined,
  }
}

function deadLetters(rows: readonly GroupRow[]): KeyFigure {
  const dead = sumOf(rows, ({ topic }) => topic.dead)
  const behind = sumOf(rows, ({ topic }) => topic.waiting)
  const retrying = sumOf(rows, ({ topic }) => topic.retrying)
  return {
    label: 'Dead letters',
    quantity: count(dead),
    detail: `${text(count(retrying))} retrying, ${text(count(behind))} behind`,
    tone: dead > 0 ? 'red' : undefined,
  }
}

function sumOf(rows: readonly GroupRow[], read: (row: GroupRow) => number): number {
  return rows.reduce((sum, row) => sum + read(row), 0)
}
