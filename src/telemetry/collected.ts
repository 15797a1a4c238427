import { frameOf } from './frame.ts'
import { History } from './history.ts'
import type { Second } from './second.ts'
import { Timeline } from './timeline.ts'
import type { Frame } from './view.ts'

/** The seconds of all processes on their way to whoever shows or judges them. */
export class Collected {
  readonly history = new History()
  readonly #timeline: Timeline
  readonly #secondListeners = new Set<(second: Second) => void>()
  readonly #frameListeners = new Set<(frame: Frame) => void>()

  /** Whether there is no other process to wait for. */
  constructor(isAlone: boolean) {
    this.#timeline = new Timeline(isAlone)
  }

  /** False when the part of a second came too late. */
  add(second: Second): boolean {
    return this.#timeline.add(second)
  }

  /** Hands on the seconds that are complete by now. */
  settle(nowMs: number): void {
    for (const second of this.#timeline.settle(nowMs)) {
      const frame = frameOf(second)
      this.history.add(second, frame)
      for (const listener of this.#secondListeners) listener(second)
      for (const listener of this.#frameListeners) listener(frame)
    }
  }

  onSecond(listener: (second: Second) => void): () => void {
    return listen(this.#secondListeners, listener)
  }

  onFrame(listener: (frame: Frame) => void): () => void {
    return listen(this.#frameListeners, listener)
  }
}

function listen<Value>(listeners: Set<(value: Value) => void>, listener: (value: Value) => void): () => void {
  // Wrapped, so that whoever listens twice is called twice and each can end.
  const own = (value: Value) => listener(value)
  listeners.add(own)
  return () => void listeners.delete(own)
}
