/**
 * In-memory wake-ups within one process, so that nothing waits for a poll: a committed transaction tells the sequencer
 * of its shard. They are hints only; polling is what guarantees progress.
 */
type Listener = (shard: number) => void

const listeners = new Set<Listener>()

/** Tells sequencers of this process that a transaction with events has committed on the shard. */
export function outboxWritten(shard: number): void {
  for (const listener of listeners) listener(shard)
}

/** Calls `listener` after each commit with events; returns how to end that. */
export function onOutboxWritten(listener: Listener): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** A gate that one loop waits at: `open()` lets it through now, or at once when it comes next. */
export class Gate {
  private opened = false
  private wake: (() => void) | undefined

  open(): void {
    this.opened = true
    this.wake?.()
  }

  /** Resolves when the gate is opened, or after `timeoutMs`; closes it again. True when it was opened. */
  async wait(timeoutMs: number): Promise<boolean> {
    if (!this.opened) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs)
        this.wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.wake = undefined
    }
    const opened = this.opened
    this.opened = false
    return opened
  }
}
