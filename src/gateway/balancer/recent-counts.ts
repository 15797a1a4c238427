import { RECENT_MS, RECENT_PARTS } from './limits.ts'

const PART_MS = RECENT_MS / RECENT_PARTS

/** How many there were of late, and how many of them were special. Forgets by the second. Times never go back. */
export class RecentCounts {
  readonly #all = new Uint32Array(RECENT_PARTS)
  readonly #special = new Uint32Array(RECENT_PARTS)
  #part = 0

  all(nowMs: number): number {
    this.#advance(nowMs)
    return sum(this.#all)
  }

  special(nowMs: number): number {
    this.#advance(nowMs)
    return sum(this.#special)
  }

  add(nowMs: number): void {
    this.#bump(this.#all, nowMs)
  }

  addSpecial(nowMs: number): void {
    this.#bump(this.#special, nowMs)
  }

  clear(): void {
    this.#all.fill(0)
    this.#special.fill(0)
  }

  #bump(counts: Uint32Array, nowMs: number): void {
    this.#advance(nowMs)
    const index = this.#part % RECENT_PARTS
    counts[index] = (counts[index] ?? 0) + 1
  }

  #advance(nowMs: number): void {
    const part = Math.floor(nowMs / PART_MS)
    if (part - this.#part >= RECENT_PARTS) {
      this.clear()
    } else {
      for (let passed = this.#part + 1; passed <= part; passed++) {
        this.#all[passed % RECENT_PARTS] = 0
        this.#special[passed % RECENT_PARTS] = 0
      }
    }
    this.#part = Math.max(part, this.#part)
  }
}

function sum(counts: Uint32Array): number {
  let total = 0
  for (const count of counts) total += count
  return total
}
