import { z } from 'zod'
import { type AnyEventType, type ConsumerDeclaration, type EventType, event, type Key } from '../core/index.ts'
import { sagaConsumer } from './saga-consumer.ts'
import { planProblems } from './saga-plan.ts'
import type { Outcome, PlannedAction, SagaPlan } from './saga-progress.ts'

/** An event for a saga to emit. Made by {@link message}. */
export type SagaMessage = { readonly type: AnyEventType; readonly payload: unknown }

/** Says what a saga emits: `message(RefundDue, { orderId, … })`. */
export function message<Payload>(type: EventType<Payload>, payload: NoInfer<Payload>): SagaMessage {
  return { type, payload }
}

/** An event type whose payload names its saga. */
export type ReplyType<About> = AnyEventType & { readonly schema: z.ZodType<About> }

/** One thing that a saga has somebody do. */
export type SagaAction<Data> = {
  /** Actions that must be done first. Without, it is asked for when the saga begins. */
  readonly after?: readonly string[]
  /** What asks for it. Left out where whoever does it listens to something else, such as what begins it all. */
  readonly request?: (data: Data) => SagaMessage
  readonly done: AnyEventType
  readonly failed?: AnyEventType
  /**
   * What asks to take it back when the saga fails after it is done, or it is done after the saga failed. `announced`:
   * whoever did it hears of the failure itself, by the event of the saga's `failed`. Left out: it cannot be taken back,
   * so nothing that may fail comes beside or after it.
   */
  readonly undo?: ((data: Data) => SagaMessage) | 'announced'
  /** Answers that it was taken back. */
  readonly undone?: AnyEventType
  /** Time that it gets from when it is asked for; then the saga fails. A timer each: a row written, and deleted. */
  readonly deadlineMs?: number
}

export type SagaFailure = { readonly action: string; readonly outcome: 'failed' | 'late' }

export type SagaDefinition<Data> = {
  /** What the saga is about: kept from its beginning, for what it emits. JSON. */
  readonly data: z.ZodType<Data>
  /** Its id, a UUID, from what it is about and from every reply. */
  readonly id: (about: never) => string
  /** The key of its events and of every reply: what places it on a shard. */
  readonly key: (about: never) => Key
  readonly actions: Readonly<Record<string, SagaAction<Data>>>
  /** Emitted with the last `done`. */
  readonly completed?: (data: Data) => SagaMessage
  /** Emitted at the first failure, before what takes back. */
  readonly failed?: (data: Data, failure: SagaFailure) => SagaMessage
  /**
   * A table of yours that holds the saga's row as a part of its own: columns `bucket smallint`, `data text`, `journal
   * text NOT NULL DEFAULT ''`, and the id as `uuid`, by which with the bucket there is an index. Default: a table of
   * the platform. In yours, you insert the row in the transaction of `begin`.
   */
  readonly keptIn?: { readonly table: string; readonly id: string }
}

/** A definition whose replies all say which saga they are for: what `id` and `key` read is in each. */
export type TypedSagaDefinition<Data extends About, About> = SagaDefinition<Data> & {
  readonly id: (about: About) => string
  readonly key: (about: About) => Key
  readonly actions: Readonly<Record<string, SagaAction<Data> & Replies<About>>>
}

type Replies<About> = {
  readonly done: ReplyType<About>
  readonly failed?: ReplyType<About>
  readonly undone?: ReplyType<About>
}

/** A declared process over several services. Belongs into `sagas` of the service that conducts it. */
export type Saga<Data = unknown> = {
  readonly name: string
  readonly plan: SagaPlan
  readonly definition: SagaDefinition<Data>
  /** What `deadlineMs` sets timers for; undefined where no action has one. */
  readonly deadline: EventType<DeadlinePassed> | undefined
  /** What an event of a type says about which action. */
  readonly replies: ReadonlyMap<string, { readonly action: string; readonly outcome: Outcome }>
  readonly consumers: readonly ConsumerDeclaration[]
  readonly emits: readonly AnyEventType[]
}

const DeadlinePassed = z.object({ sagaId: z.string(), key: z.union([z.int(), z.string()]), action: z.string() })
export type DeadlinePassed = z.infer<typeof DeadlinePassed>

/**
 * Declares a process: what has to be done, in which order, and what takes it back. Actions that wait for no other are
 * asked for side by side. When one fails or is late, those that are done are taken back in reverse order, and so is one
 * whose answer comes after that. Its journal, what follows from an event and the group's position commit together.
 * Throws on a plan that cannot work, all problems at once.
 */
export function saga<Data extends About, About>(
  name: string,
  definition: TypedSagaDefinition<Data, About>,
): Saga<Data> {
  const plan: SagaPlan = new Map(Object.entries(definition.actions).map(([action, of]) => [action, plannedOf(of)]))
  const problems = [...planProblems(plan, definition.actions), ...tableProblems(definition.keptIn)]
  if (!SAGA_NAME.test(name)) problems.push('its name must be kebab-case, like "order" or "trip-booking"')
  if (problems.length > 0) throw new Error(`saga ${name}:\n- ${problems.join('\n- ')}`)
  const hasDeadline = Object.values(definition.actions).some(({ deadlineMs }) => deadlineMs !== undefined)
  const deadline = hasDeadline ? event(`${name}.deadline`, 1, DeadlinePassed, { key: ({ key }) => key }) : undefined
  const types = repliesOf(definition.actions)
  const value: Omit<Saga<Data>, 'consumers'> = {
    name,
    plan,
    definition,
    deadline,
    replies: new Map([...types].map(([type, reply]) => [type.name, reply])),
    emits: deadline === undefined ? [] : [deadline],
  }
  const apply = sagaConsumer(value)
  const consumed = [...types.keys(), ...value.emits]
  return { ...value, consumers: consumed.map((type) => ({ event: type, target: 'key', batch: true, apply })) }
}

const SAGA_NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const TABLE_NAME = /^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$/

function tableProblems(keptIn: { readonly table: string; readonly id: string } | undefined): readonly string[] {
  if (keptIn === undefined || (TABLE_NAME.test(keptIn.table) && TABLE_NAME.test(keptIn.id))) return []
  return [`it is kept in ${keptIn.table}, by ${keptIn.id}: both must be plain names, like orders.orders and order_id`]
}

function plannedOf<Data>({ after = [], undo, undone }: SagaAction<Data>): PlannedAction {
  return { after, isUndone: undo !== undefined, confirmsUndo: undone !== undefined }
}

function repliesOf<Data>(actions: Readonly<Record<string, SagaAction<Data>>>) {
  const replies = new Map<AnyEventType, { readonly action: string; readonly outcome: Outcome }>()
  for (const [action, { done, failed, undone }] of Object.entries(actions)) {
    replies.set(done, { action, outcome: 'done' })
    if (failed !== undefined) replies.set(failed, { action, outcome: 'failed' })
    if (undone !== undefined) replies.set(undone, { action, outcome: 'undone' })
  }
  return replies
}
