import type { EventEnvelope, EventType } from '../core/index.ts'
import { bucketOf, type Transaction } from '../data/index.ts'
import { sagaMissed } from './channels.ts'
import type { ConsumerContext, Delivery } from './consumer.ts'
import { emit } from './emit.ts'
import { insertSagas, type NewSaga, type NotedSaga, noteInJournals, type ToldSaga } from './engines/postgres-sagas.ts'
import type { DeadlinePassed, Saga, SagaMessage } from './saga.ts'
import { beginning, type Consequence, type JournalEntry, SagaCourse } from './saga-progress.ts'
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
  const course = new SagaCourse(saga.plan)
  return async (deliveries: readonly Delivery<unknown, unknown>[], { tx }: ConsumerContext): Promise<void> => {
    const heard = heardOf(saga, deliveries)
    const noted = await noteInJournals(tx, saga, [...heard.values()])
    const settled: string[] = []
    for (const row of noted) {
      const news = heard.get(row.id)
      if (news !== undefined && row.told !== undefined)
        settled.push(...moveOn(tx, saga, { course, told: row.told, news }))
    }
    const missed = heard.size - noted.length
    if (missed > 0) tx.afterCommit(() => tellMissed(saga, tx.shard, { noted, heard }))
    if (settled.length > 0) await cancel(tx, settled)
  }
}

type Heard = { readonly noted: readonly NotedSaga[]; readonly heard: ReadonlyMap<string, News> }

function tellMissed<Data>({ name }: SagaParts<Data>, shard: number, { noted, heard }: Heard): void {
  const found = new Set(noted.map(({ id }) => id))
  for (const { id, events } of heard.values()) {
    if (!found.has(id)) sagaMissed.publish({ saga: name, id, topic: events[0]?.type ?? '', shard })
  }
}

/** All that a batch says about one saga, in order. */
type News = {
  readonly id: string
  readonly bucket: number
  /** Whether anything may follow from it; otherwise it is noted, and that is all. */
  matters: boolean
  readonly entries: JournalEntry[]
  readonly events: EventEnvelope[]
}

function heardOf<Data>(saga: SagaParts<Data>, deliveries: readonly Delivery<unknown, unknown>[]) {
  const heard = new Map<string, News>()
  for (const { event } of deliveries) {
    const { id, entry } = entryOf(saga, event)
    const news = heard.get(id) ?? { id, bucket: event.bucket, matters: false, entries: [], events: [] }
    heard.set(id, news)
    news.matters ||= mayFollow(saga, entry)
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

/** Sends what follows from the news of one saga. Returns the timers that are not needed any more. */
function moveOn<Data>(
  tx: Transaction,
  saga: SagaParts<Data>,
  { course, told, news }: { readonly course: SagaCourse; readonly told: ToldSaga; readonly news: News },
): readonly string[] {
  let data: Data | undefined
  const settled: string[] = []
  for (const [index, consequences] of course.follow(told.journal, news.entries.length).entries()) {
    for (const consequence of consequences) {
      if (consequence.kind === 'settled') {
        if (saga.definition.actions[consequence.action]?.deadlineMs !== undefined)
          settled.push(timerKey(saga, news.id, consequence.action))
        continue
      }
      if (!isFollowed(saga, consequence)) continue
      data ??= saga.definition.data.parse(JSON.parse(told.data))
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

/** Whether an entry may have consequences, wherever its saga stands. */
function mayFollow<Data>({ plan, definition }: SagaParts<Data>, [name, outcome]: JournalEntry): boolean {
  const action = definition.actions[name]
  if (outcome !== 'done' || action === undefined) return outcome !== 'undone'
  if (action.deadlineMs !== undefined || typeof action.undo === 'function') return true
  return definition.completed !== undefined || [...plan.values()].some(({ after }) => after.includes(name))
}

/** Whether anything is to be said or set, for which the saga's data must be read. */
function isFollowed<Data>({ definition }: SagaParts<Data>, consequence: Consequence): boolean {
  if (!('action' in consequence)) return definition.completed !== undefined
  if (consequence.kind === 'failed') return definition.failed !== undefined
  const action = definition.actions[consequence.action]
  if (consequence.kind === 'undo') return typeof action?.undo === 'function'
  return action?.request !== undefined || action?.deadlineMs !== undefined
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
