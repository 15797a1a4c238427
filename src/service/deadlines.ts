import { Bag, type BagItem, type Context, systemClock } from '../core/index.ts'
import { DEADLINE_SWEEP_MS } from './limits.ts'

/** A request under way. */
export type Pending = BagItem & { readonly deadlineAtMs: number; readonly expire: () => void }

/**
 * The requests under way: says when one is late and when none is left. One timer looks at all of them, since a timer
 * for each request would cost more than most requests do.
 */
export class Deadlines {
  private readonly pending = new Bag<Pending>()
  private timer: NodeJS.Timeout | undefined
  private idle: (() => void)[] = []

  /** `expire` runs once if the request is not settled within {@link DEADLINE_SWEEP_MS} after its deadline. */
  add(context: Context, expire: () => void): Pending {
    const entry = { deadlineAtMs: context.deadlineAtMs, expire, bagIndex: -1 }
    this.pending.add(entry)
    this.timer ??= setInterval(() => this.sweep(), DEADLINE_SWEEP_MS).unref()
    return entry
  }

  /** Whether the request still waited for its answer. */
  settle(entry: Pending): boolean {
    const waited = this.pending.delete(entry)
    if (this.pending.size === 0 && this.idle.length > 0) this.release()
    return waited
  }

  /** Resolves when no request is under way. */
  whenIdle(): Promise<void> {
    return this.pending.size === 0 ? Promise.resolve() : new Promise((resolve) => this.idle.push(resolve))
  }

  private sweep(): void {
    const nowMs = systemClock.now()
    for (const entry of this.pending.all()) {
      if (entry.deadlineAtMs <= nowMs && this.settle(entry)) entry.expire()
    }
    if (this.pending.size > 0) return
    clearInterval(this.timer)
    this.timer = undefined
  }

  private release(): void {
    for (const resolve of this.idle.splice(0)) resolve()
  }
}
