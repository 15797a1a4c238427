import { LATE_MS_MAX, SECOND_MS, SETTLE_MS, SETTLING_MAX } from './limits.ts'
import { mergeProcesses } from './merge.ts'
import type { Second } from './second.ts'

/**
 * Brings together the parts of one second, which come from several processes. A second settles, and is handed on, once
 * SETTLE_MS have passed since its end; in order, each once. A part that comes after that, of a process that was held
 * up, counts in the next second that settles: late, but not lost.
 */
export class Timeline {
  readonly #settleMs: number
  readonly #open = new Map<number, Second[]>()
  #settledAtMs = 0

  /** Alone, a process waits for nobody. */
  constructor(isAlone: boolean) {
    this.#settleMs = isAlone ? 0 : SETTLE_MS
  }

  /** False when the part came by more than LATE_MS_MAX too late, or from a clock that is far ahead. */
  add(second: Second): boolean {
    if (second.atMs <= this.#settledAtMs - LATE_MS_MAX) return false
    const atMs = Math.max(second.atMs, this.#settledAtMs + SECOND_MS)
    const part = atMs === second.atMs ? second : { ...second, atMs }
    const parts = this.#open.get(atMs)
    if (parts !== undefined) {
      parts.push(part)
      return true
    }
    if (this.#open.size >= SETTLING_MAX) return false
    this.#open.set(atMs, [part])
    return true
  }

  /** The seconds that have settled by now, oldest first. */
  settle(nowMs: number): readonly Second[] {
    const due = [...this.#open.keys()].filter((atMs) => atMs + this.#settleMs <= nowMs).sort((a, b) => a - b)
    return due.map((atMs) => {
      const parts = this.#open.get(atMs) ?? []
      this.#open.delete(atMs)
      this.#settledAtMs = atMs
      return mergeProcesses(parts)
    })
  }
}
