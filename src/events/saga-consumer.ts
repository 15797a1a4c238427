import type { EventEnvelope, EventType } from '../core/index.ts'
import { bucketOf, type Transaction } from '../data/index.ts'
import { sagaMissed } from './channels.ts'
import type { ConsumerContext, Delivery } from './consumer.ts'
import { emit } from './emit.ts'
import { insertSagas, type NewSaga, type NotedSaga, noteInJournals } from './engines/postgres-sagas.ts'
import type { DeadlinePassed, Saga, SagaMessage } from './saga.ts'
import { advance, beginning, type Consequence, type JournalEntry, progressOf } from './saga-progress.ts'
import { cancel, schedule } from './timers.ts'

/** What sagas are made of, before they have consumers. */
export type SagaParts<Data> = Omit<Saga<Data>, 'consumers'>

type Traced = { readonly traceparent: string }

/**
 * Begins a saga as part of the transaction: emits what its first actions ask for and sets their deadlines. Those of one
 * transaction are written together.
 */
export function beginSaga<Data>(tx: Transaction, saga: SagaParts<Data>, data: Data, context: Traced): void {
  const { definition } = saga
  const [id, key] = [definition.id(data as never), definition.key(data as never)]
  if (definition.keptIn === undefined) {
    const row = { saga: saga.name, bucket: bucketOf(key), id, data: JSON.stringify(data) }
    tx.attach(BEGUN, () => new BegunSagas(tx)).add(row)
  }
  const { consequences } = beginning(saga.plan)
  for (const consequence of consequences) follow(tx, saga, { consequence, data, context })
}

const BEGUN = Symbol('sagas begun by a transaction')

class BegunSagas {
  private readonly rows: NewSaga[] = []

  constructor(tx: Transaction) {
    tx.beforeCommit(() => insertSagas(tx, this.rows))
  }

  add(row: NewSaga): void {
    this.rows.push(row)
  }
}

/**
 * The consumer of all that a saga hears of: one statement for a batch of whatever events, one more where deadlines are
 * given up, and what is emitted. A row is locked by the statement that adds to its journal, so that of two transactions
 * the later one sees what the earlier has noted, and each consequence follows once.
 */
export function sagaConsumer<Data>(saga: SagaParts<Data>) {
  return async (deliveries: readonly Delivery<unknown, unknown>[], { tx }: ConsumerContext): Promise<void> => {
    const heard = heardOf(saga, deliveries)
    const noted = await noteInJournals(tx, saga, [...heard.values()])
    const settled: string[] = []
    for (const row of noted) {
      const news = heard.get(row.id)
      if (news !== undefined) settled.push(...(await moveOn(tx, saga, { row, news })))
      heard.delete(row.id)
    }
    if (heard.size > 0) tx.afterCommit(() => tellMissed(saga, tx.shard, heard.values()))
    if (settled.length > 0) await cancel(tx, settled)
  }
}

function tellMissed<Data>({ name }: SagaParts<Data>, shard: number, missed: Iterable<News>): void {
  if (!sagaMissed.hasSubscribers) return
  for (const { id, events } of missed) sagaMissed.publish({ saga: name, id, topic: events[0]?.type ?? '', shard })
}

/** All that a batch says about one saga, in order. */
type News = {
  readonly id: string
  readonly bucket: number
  readonly entries: JournalEntry[]
  readonly events: EventEnvelope[]
}

function heardOf<Data>(saga: SagaParts<Data>, deliveries: readonly Delivery<unknown, unknown>[]) {
  const heard = new Map<string, News>()
  for (const { event } of deliveries) {
    const { id, entry } = entryOf(saga, event)
    const news = heard.get(id) ?? { id, bucket: event.bucket, entries: [], events: [] }
    heard.set(id, news)
    news.entries.push(entry)
    news.events.push(event)
  }
  return heard
}

function entryOf<Data>({ replies, definition }: SagaParts<Data>, event: EventEnvelope) {
  const reply = replies.get(event.type)
  if (reply !== undefined) {
    const entry: JournalEntry = [reply.action, reply.outcome, event.occurredAtMs]
    return { id: definition.id(event.payload as never).toLowerCase(), entry }
  }
  const { sagaId, action } = event.payload as DeadlinePassed
  const entry: JournalEntry = [action, 'late', event.occurredAtMs]
  return { id: sagaId, entry }
}

/** Sends what follows from the news of one saga. Resolves with the timers that are not needed any more. */
async function moveOn<Data>(
  tx: Transaction,
  saga: SagaParts<Data>,
  { row, news }: { readonly row: NotedSaga; readonly news: News },
): Promise<readonly string[]> {
  let progress = progressOf(saga.plan, row.journal.slice(0, row.journal.length - news.entries.length))
  let data: Data | undefined
  const settled: string[] = []
  for (const [index, entry] of news.entries.entries()) {
    const next = advance(saga.plan, progress, entry)
    progress = next.progress
    for (const consequence of next.consequences) {
      if (consequence.kind === 'settled') {
        if (saga.definition.actions[consequence.action]?.deadlineMs !== undefined)
          settled.push(timerKey(saga, row.id, consequence.action))
        continue
      }
      data ??= saga.definition.data.parse(JSON.parse(row.data))
      follow(tx, saga, { consequence, data, context: news.events[index] ?? { traceparent: '' } })
    }
  }
  return settled
}

type Step<Data> = { readonly consequence: Consequence; readonly data: Data; readonly context: Traced }

function follow<Data>(tx: Transaction, saga: SagaParts<Data>, { consequence, data, context }: Step<Data>): void {
  const message = messageFor(saga, consequence, data)
  if (message !== undefined) emit(tx, message.type as EventType, message.payload, context)
  if (consequence.kind === 'request') setDeadline(tx, saga, { action: consequence.action, data, context })
}

function messageFor<Data>(
  { definition }: SagaParts<Data>,
  consequence: Consequence,
  data: Data,
): SagaMessage | undefined {
  if (consequence.kind === 'completed') return definition.completed?.(data)
  if (consequence.kind === 'failed') return definition.failed?.(data, consequence)
  const action = definition.actions[consequence.action]
  if (consequence.kind === 'request') return action?.request?.(data)
  return typeof action?.undo === 'function' && consequence.kind === 'undo' ? action.undo(data) : undefined
}

function setDeadline<Data>(
  tx: Transaction,
  saga: SagaParts<Data>,
  { action, data, context }: { readonly action: string; readonly data: Data; readonly context: Traced },
): void {
  const { definition, deadline } = saga
  const dueInMs = definition.actions[action]?.deadlineMs
  if (dueInMs === undefined || deadline === undefined) return
  const sagaId = definition.id(data as never)
  const payload = { sagaId, key: definition.key(data as never), action }
  schedule(tx, { key: timerKey(saga, sagaId, action), dueInMs, event: { type: deadline, payload, ...context } })
}

function timerKey<Data>({ name }: SagaParts<Data>, id: string, action: string): string {
  return `saga/${name}/${id}/${action}`
}
