import { DEGRADATIONS_KEPT_MS, DEGRADATIONS_MAX } from './limits.ts'
import type { Second } from './second.ts'
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
type Told = { readonly atMs: number; readonly degradations: readonly Degradation[] }

/** Those of the other processes, as each told them with its last second. What is no longer told is over. */
export class OthersDegradations {
  readonly #own: string
  /** By instance. */
  readonly #told = new Map<string, Told>()

  /** `own` is the instance whose degradations are known without being told. */
  constructor(own: string) {
    this.#own = own
  }

  /** Seconds of all processes, in order. */
  observe({ atMs, instances, degradations }: Pick<Second, 'atMs' | 'instances' | 'degradations'>): void {
    for (const { instance } of instances) {
      if (instance === this.#own) continue
      this.#told.set(instance, { atMs, degradations: degradations.filter((one) => one.instance === instance) })
    }
    for (const [instance, told] of this.#told) {
      if (told.atMs <= atMs - DEGRADATIONS_KEPT_MS) this.#told.delete(instance)
    }
  }

  /** One for each part, oldest first; where it is degraded is in the message, unless that is only here. */
  mergedWith(own: readonly Degradation[]): readonly Degradation[] {
    const here = own.map((degradation) => ({ degradation, instance: undefined }))
    const there = [...this.#told].flatMap(([instance, told]) =>
      told.degradations.map((degradation) => ({ degradation, instance })),
    )
    const parts = Map.groupBy([...here, ...there], ({ degradation }) => degradation.part)
    const merged = [...parts].map(([part, places]) => ({
      part,
      message: messageOf(places),
      sinceMs: Math.min(...places.map(({ degradation }) => degradation.sinceMs)),
    }))
    return merged.toSorted((a, b) => a.sinceMs - b.sinceMs).slice(0, DEGRADATIONS_MAX)
  }
}

type Place = { readonly degradation: Degradation; readonly instance: string | undefined }

/** In the words of the first place, which is this process where the part is degraded here as well. */
function messageOf([first, ...others]: readonly Place[]): string {
  if (first === undefined) return ''
  const { degradation, instance } = first
  if (instance === undefined && others.length === 0) return degradation.message
  const more = others.length === 0 ? '' : ` and in ${others.length} more`
  return `${degradation.message.replace(/\.$/, '')} (${instance === undefined ? 'here' : `in ${instance}`}${more})`
}
