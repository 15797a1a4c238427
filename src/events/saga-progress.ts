import { SAGA_STATES_REMEMBERED_MAX as PLACES_MAX } from './limits.ts'

/**
 * What a saga's declaration says about the order of its actions: all that is needed to tell where it stands. The names
 * of actions are those of the declaration, in its order.
 */
export type SagaPlan = ReadonlyMap<string, PlannedAction>

export type PlannedAction = {
  /** Actions that must be done before this one is asked for. */
  readonly after: readonly string[]
  /** Whether something must be asked to take it back, once it is done. */
  readonly isUndone: boolean
  /** Whether an answer says that it was taken back; otherwise asking counts as done. */
  readonly confirmsUndo: boolean
}

/** What an event said about an action: `late` is its deadline, the others are answers. */
export type Outcome = 'done' | 'failed' | 'late' | 'undone'

/** One line of a saga's journal: what was heard, of which action, and when it happened, Unix epoch milliseconds. */
export type JournalEntry = readonly [action: string, outcome: Outcome, atMs: number]

/**
 * Of an action:
 *
 *     waiting ──all of `after` done──▶ asked ──done──▶ done ──the saga fails──▶ undoing ──undone──▶ undone
 *        └──the saga fails──▶ skipped    ├──failed──▶ failed
 *                                        └──late──▶ late ──done all the same──▶ undoing
 *
 * One that is asked when the saga fails stays so: if it is done after all, it is undone at once.
 */
export type ActionState = 'waiting' | 'asked' | 'done' | 'failed' | 'late' | 'undoing' | 'undone' | 'skipped'

/** `running` ends in `completed`, or by the first failure in `failed`; `compensating` while undos are awaited. */
export type SagaStatus = 'running' | 'completed' | 'compensating' | 'failed'

export type SagaProgress = {
  readonly status: SagaStatus
  readonly actions: ReadonlyMap<string, ActionState>
  /** Done ones in the order in which they were. */
  readonly done: readonly string[]
  /** The first action that failed or was late. */
  readonly failure?: { readonly action: string; readonly outcome: 'failed' | 'late' }
}

/** What follows from an entry. The caller sends it, in the transaction that keeps the entry. */
export type Consequence =
  | { readonly kind: 'request' | 'undo' | 'settled'; readonly action: string }
  | { readonly kind: 'completed' }
  | { readonly kind: 'failed'; readonly action: string; readonly outcome: 'failed' | 'late' }

export type Advance = { readonly progress: SagaProgress; readonly consequences: readonly Consequence[] }

/** A saga that begins: actions that wait for no other are asked for. */
export function beginning(plan: SagaPlan): Advance {
  const waiting = new Map([...plan.keys()].map((name): [string, ActionState] => [name, 'waiting']))
  return askReady(plan, { status: 'running', actions: waiting, done: [] })
}

/** Where a saga stands after all that its journal says. */
export function progressOf(plan: SagaPlan, journal: readonly JournalEntry[]): SagaProgress {
  return journal.reduce((progress, entry) => advance(plan, progress, entry).progress, beginning(plan).progress)
}

/**
 * The same, remembered: sagas of one plan go through few states, so that each is worked out once and a saga's way is
 * looked up. Times matter to none.
 */
export class SagaCourse {
  private readonly plan: SagaPlan
  private readonly start: Place
  private places = 0

  constructor(plan: SagaPlan) {
    this.plan = plan
    this.start = { progress: beginning(plan).progress, next: new Map() }
  }

  /** What each of the last `count` entries of a journal changed, and where the saga stands then. */
  follow(journal: readonly JournalEntry[], count: number): readonly (readonly Consequence[])[] {
    let place = this.start
    const consequences: (readonly Consequence[])[] = []
    for (const [index, entry] of journal.entries()) {
      const step = this.step(place, entry)
      place = step.place
      if (index >= journal.length - count) consequences.push(step.consequences)
    }
    return consequences
  }

  private step(place: Place, entry: JournalEntry): Step {
    const name = `${entry[0]} ${entry[1]}`
    const known = place.next.get(name)
    if (known !== undefined) return known
    const { progress, consequences } = advance(this.plan, place.progress, entry)
    const next = progress === place.progress ? place : { progress, next: new Map() }
    const step = { place: next, consequences }
    if (this.places < PLACES_MAX) {
      this.places++
      place.next.set(name, step)
    }
    return step
  }
}

/** A state of a saga with the ways out of it that were gone so far. */
type Place = { readonly progress: SagaProgress; readonly next: Map<string, Step> }
type Step = { readonly place: Place; readonly consequences: readonly Consequence[] }

/**
 * What one more entry changes. Pure, and total: an entry that comes twice, too late, or for an action that nobody asked
 * for changes nothing and has no consequence.
 */
export function advance(plan: SagaPlan, progress: SagaProgress, [action, outcome]: JournalEntry): Advance {
  const state = progress.actions.get(action)
  const nothing = { progress, consequences: [] }
  if (state === undefined || progress.status === 'completed') return nothing
  if (outcome === 'undone') return state === 'undoing' ? noteUndone(progress, action) : nothing
  const isOpen = state === 'asked' || (state === 'late' && outcome !== 'late')
  if (!isOpen) return nothing
  if (progress.status === 'running')
    return outcome === 'done' ? goOn(plan, progress, action) : fail(plan, progress, { action, outcome })
  // The saga failed before this answer came: what is done now is undone, at once and once.
  if (outcome !== 'done') return { progress: withState(progress, action, outcome), consequences: [settled(action)] }
  const undone = undo(plan, progress, action)
  return { progress: undone.progress, consequences: [settled(action), ...undone.consequences] }
}

function goOn(plan: SagaPlan, progress: SagaProgress, action: string): Advance {
  const noted = { ...withState(progress, action, 'done'), done: [...progress.done, action] }
  const next = askReady(plan, noted)
  const isAllDone = noted.done.length === plan.size
  const completed: readonly Consequence[] = isAllDone ? [{ kind: 'completed' }] : []
  return {
    progress: isAllDone ? { ...next.progress, status: 'completed' } : next.progress,
    consequences: [settled(action), ...next.consequences, ...completed],
  }
}

/** Done actions are undone in reverse order, those that were not yet asked for are skipped. */
function fail(plan: SagaPlan, before: SagaProgress, failure: { action: string; outcome: 'failed' | 'late' }): Advance {
  const actions = new Map(before.actions)
  for (const [name, state] of actions) if (state === 'waiting') actions.set(name, 'skipped')
  actions.set(failure.action, failure.outcome)
  let progress: SagaProgress = { ...before, status: 'failed', actions, failure }
  const consequences: Consequence[] = [settled(failure.action), { kind: 'failed', ...failure }]
  for (const action of before.done.toReversed()) {
    const undone = undo(plan, progress, action)
    progress = undone.progress
    consequences.push(...undone.consequences)
  }
  return { progress, consequences }
}

function undo(plan: SagaPlan, progress: SagaProgress, action: string): Advance {
  const planned = plan.get(action)
  const state = planned?.confirmsUndo ? 'undoing' : 'undone'
  const noted = withState(progress, action, state)
  return {
    progress: state === 'undoing' ? { ...noted, status: 'compensating' } : noted,
    consequences: planned?.isUndone ? [{ kind: 'undo', action }] : [],
  }
}

function noteUndone(progress: SagaProgress, action: string): Advance {
  const noted = withState(progress, action, 'undone')
  const isOver = ![...noted.actions.values()].includes('undoing')
  return { progress: isOver ? { ...noted, status: 'failed' } : noted, consequences: [] }
}

function askReady(plan: SagaPlan, progress: SagaProgress): Advance {
  const ready = [...plan].filter(([name, { after }]) => {
    return progress.actions.get(name) === 'waiting' && after.every((one) => progress.actions.get(one) === 'done')
  })
  const actions = new Map(progress.actions)
  for (const [name] of ready) actions.set(name, 'asked')
  return { progress: { ...progress, actions }, consequences: ready.map(([action]) => ({ kind: 'request', action })) }
}

/** No answer is awaited any more: a deadline can be given up. */
function settled(action: string): Consequence {
  return { kind: 'settled', action }
}

function withState(progress: SagaProgress, action: string, state: ActionState): SagaProgress {
  return { ...progress, actions: new Map(progress.actions).set(action, state) }
}
