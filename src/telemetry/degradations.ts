import { DEGRADATIONS_MAX } from './limits.ts'
import type { Degradation } from './view.ts'

/** Parts that work worse than they should, from `degraded` until `recovered`. */
export class Degradations {
  readonly #parts = new Map<string, Degradation>()

  /** Idempotent; since when stays, the latest message counts. False when there are too many to keep one more. */
  degraded(part: string, message: string, nowMs: number): boolean {
    const known = this.#parts.get(part)
    if (known === undefined && this.#parts.size >= DEGRADATIONS_MAX) return false
    this.#parts.set(part, { part, message, sinceMs: known?.sinceMs ?? nowMs })
    return true
  }

  /** False when it was not degraded. */
  recovered(part: string): boolean {
    return this.#parts.delete(part)
  }

  /** Oldest first. */
  all(): readonly Degradation[] {
    return [...this.#parts.values()]
  }
}
