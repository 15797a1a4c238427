import { SETTLE_MS, SETTLING_MAX } from './limits.ts'
import { mergeProcesses } from './merge.ts'
import type { Second } from './second.ts'

/**
 * Brings together the parts of one second, which come from several processes. A second settles, and is handed on, once
 * SETTLE_MS have passed since its end; in order, each once. Parts that come after that are let go.
 */
export class Timeline {
  readonly #settleMs: number
  readonly #open = new Map<number, Second[]>()
  #settledAtMs = 0

  /** Alone, a process waits for nobody. */
  constructor(isAlone: boolean) {
    this.#settleMs = isAlone ? 0 : SETTLE_MS
  }

  /** False when the part came too late, or from a clock that is far ahead. */
  add(second: Second): boolean {
    if (second.atMs <= this.#settledAtMs) return false
    const parts = this.#open.get(second.atMs)
    if (parts !== undefined) {
      parts.push(second)
      return true
    }
    if (this.#open.size >= SETTLING_MAX) return false
    this.#open.set(second.atMs, [second])
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
