import { JOURNAL_CHARS_MAX, TIMER_DELAY_MS_MAX } from './limits.ts'
import type { SagaPlan } from './saga-progress.ts'

/** What of a saga's actions matters for whether its plan can work. */
export type DeclaredAction = {
  readonly done: { readonly name: string }
  readonly failed?: { readonly name: string }
  readonly undone?: { readonly name: string }
  readonly deadlineMs?: number
}

/** Entries of one action in a journal at most, repeated events aside, and their length; see JOURNAL_CHARS_MAX. */
const ENTRIES_PER_ACTION = 4
const ENTRY_CHARS = 40

/** Why a plan cannot work: all problems at once. */
export function planProblems(plan: SagaPlan, actions: Readonly<Record<string, DeclaredAction>>): readonly string[] {
  const unknown = [...plan].flatMap(([name, { after }]) => {
    return after.filter((one) => !plan.has(one)).map((one) => `${name} comes after ${one}, which is no action`)
  })
  if (plan.size === 0) return ['it has no actions']
  if (unknown.length > 0) return unknown
  const circles = [...plan.keys()].filter((name) => before(plan, name).has(name))
  if (circles.length > 0) return circles.map((name) => `${name} comes after itself`)
  return [...oneByOne(plan, actions), ...finalProblems(plan, actions), ...repeatedReplies(actions), ...sizes(actions)]
}

function oneByOne(plan: SagaPlan, actions: Readonly<Record<string, DeclaredAction>>): readonly string[] {
  return Object.entries(actions).flatMap(([name, { deadlineMs, undone }]) => {
    const isTime = deadlineMs === undefined || (deadlineMs > 0 && deadlineMs <= TIMER_DELAY_MS_MAX)
    const time = isTime ? [] : [`deadlineMs of ${name} is ${deadlineMs}, and must be 1 to ${TIMER_DELAY_MS_MAX}`]
    const pointless = undone !== undefined && !plan.get(name)?.isUndone
    return pointless ? [...time, `${name} says how it is undone, but not how to ask for that`] : time
  })
}

/** What cannot be taken back must be the last that can happen: nothing else may still fail when it is done. */
function finalProblems(plan: SagaPlan, actions: Readonly<Record<string, DeclaredAction>>): readonly string[] {
  const canFail = (name: string) => actions[name]?.failed !== undefined || actions[name]?.deadlineMs !== undefined
  return [...plan]
    .filter(([, { isUndone }]) => !isUndone)
    .flatMap(([name]) => {
      const earlier = before(plan, name)
      const open = [...plan.keys()].filter((other) => other !== name && !earlier.has(other) && canFail(other))
      return open.map((other) => `${name} has no undo, but ${other} may fail when it is done`)
    })
}

function repeatedReplies(actions: Readonly<Record<string, DeclaredAction>>): readonly string[] {
  const names = Object.values(actions).flatMap(({ done, failed, undone }) => {
    return [done, failed, undone].flatMap((type) => (type === undefined ? [] : [type.name]))
  })
  const repeated = names.filter((name, index) => names.indexOf(name) !== index)
  return [...new Set(repeated)].map((name) => `${name} says two things: each needs an event of its own`)
}

function sizes(actions: Readonly<Record<string, DeclaredAction>>): readonly string[] {
  const chars = Object.keys(actions).reduce((sum, name) => sum + ENTRIES_PER_ACTION * (name.length + ENTRY_CHARS), 0)
  return chars > JOURNAL_CHARS_MAX ? [`its journal would be longer than ${JOURNAL_CHARS_MAX} characters`] : []
}

/** All actions that are done when this one is asked for. */
function before(plan: SagaPlan, name: string): ReadonlySet<string> {
  const found = new Set<string>()
  const open = [...(plan.get(name)?.after ?? [])]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue
    found.add(next)
    open.push(...(plan.get(next)?.after ?? []))
  }
  return found
}
