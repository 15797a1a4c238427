import type { EventType } from '../core/index.ts'
import type { Transaction } from '../data/index.ts'
import { type CheckedEvent, checkedEvent } from './checked-event.ts'
import { deleteTimers, insertTimers } from './engines/postgres-timers.ts'
import { eventsError } from './errors.ts'
import { EMITTED_EVENTS_MAX, TIMER_DELAY_MS_MAX, TIMER_KEY_CHARS_MAX } from './limits.ts'

/**
 * An event that is emitted later unless it is cancelled before: a deadline, a reminder.
 *   set:       from the commit of `schedule`, in the database of its transaction; again under the same key → set anew
 *   released:  due by that database's clock → moved to the outbox by the process that sequences the shard, in order of
 *              due time, then of setting; from then on it is an event like any other
 *   cancelled: by the commit of `cancel`, if that comes first
 */
export type Timer<Payload> = {
  /** By which it is cancelled or set anew: unique on its shard, up to 200 characters. */
  readonly key: string
  /** From when the transaction writes it, by the database's clock; 0 or less is at once. */
  readonly dueInMs: number
  readonly event: { readonly type: EventType<Payload>; readonly payload: Payload; readonly traceparent: string }
}

/**
 * Sets a timer as part of the transaction. All of one transaction are written together, just before COMMIT. One with
 * the same key that was not released yet is replaced. Returns the event's id. Throws EVENTS_PAYLOAD_INVALID,
 * EVENTS_TIMER_INVALID, EVENTS_TOO_MANY.
 */
export function schedule<Payload>(tx: Transaction, timer: Timer<Payload>): string {
  const { key, dueInMs, event } = timer
  const checked = checkedEvent(event.type, event.payload, event)
  setTimer(tx, { key, dueInMs, event: checked })
  return checked.envelope.id
}

/**
 * Cancels timers as part of the transaction; resolves with the keys of those that were still set. Any other was
 * released before, or never set: its event may still be on its way to its consumers.
 */
export async function cancel(tx: Transaction, keys: readonly string[]): Promise<ReadonlySet<string>> {
  const timers = tx.attach(TIMERS, () => new SetTimers(tx))
  const cancelled = new Set(keys.filter((key) => timers.remove(key)))
  for (const key of await deleteTimers(tx, keys)) cancelled.add(key)
  return cancelled
}

/** A timer whose event is made. It is due no earlier than `dueInMs` from now and no earlier than `notBefore`. */
export type DueEvent = {
  readonly key: string
  readonly dueInMs: number
  readonly notBefore?: Date | undefined
  readonly event: CheckedEvent
}

/** As `schedule`, for an event that is made. */
export function setTimer<Payload>(
  tx: Transaction,
  timer: Omit<DueEvent, 'event'> & { readonly event: CheckedEvent<Payload> },
): void {
  const { key, dueInMs, notBefore } = timer
  const problem = keyProblem(key) ?? timeProblem(dueInMs, notBefore)
  if (problem !== undefined) throw eventsError('EVENTS_TIMER_INVALID', `timer ${JSON.stringify(key)}: ${problem}`)
  tx.attach(TIMERS, () => new SetTimers(tx)).add(timer as unknown as DueEvent)
}

const TIMERS = Symbol('timers set by a transaction')

/** The timers of one transaction by key, in the order of setting. */
class SetTimers {
  private readonly tx: Transaction
  private timers = new Map<string, DueEvent>()

  constructor(tx: Transaction) {
    this.tx = tx
  }

  add(timer: DueEvent): void {
    if (this.timers.size === 0) this.tx.beforeCommit(() => this.write())
    this.timers.delete(timer.key)
    this.timers.set(timer.key, timer)
    if (this.timers.size > EMITTED_EVENTS_MAX) {
      throw eventsError('EVENTS_TOO_MANY', `one transaction set more than ${EMITTED_EVENTS_MAX} timers`)
    }
  }

  remove(key: string): boolean {
    return this.timers.delete(key)
  }

  private write(): void {
    const timers = [...this.timers.values()]
    this.timers = new Map()
    if (timers.length > 0) insertTimers(this.tx, timers)
  }
}

function keyProblem(key: string): string | undefined {
  if (key === '') return 'its key is empty'
  if (key.length > TIMER_KEY_CHARS_MAX) return `its key is longer than ${TIMER_KEY_CHARS_MAX} characters`
  if (key.includes('\0') || !key.isWellFormed()) return 'its key holds what PostgreSQL has no text for'
  return undefined
}

function timeProblem(dueInMs: number, notBefore: Date | undefined): string | undefined {
  if (Number.isNaN(dueInMs) || Number.isNaN(notBefore?.getTime())) return 'its time is none'
  if (dueInMs > TIMER_DELAY_MS_MAX) return `${dueInMs} ms are more than ${TIMER_DELAY_MS_MAX}`
  return undefined
}
