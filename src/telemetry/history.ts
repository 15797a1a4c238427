import { frameOf } from './frame.ts'
import { SECOND_MS, SECONDS_KEPT, STEP_SECONDS, STEPS_KEPT } from './limits.ts'
import { mergeTime } from './merge.ts'
import type { Second } from './second.ts'
import type { Frame } from './view.ts'

const STEP_MS = STEP_SECONDS * SECOND_MS

/**
 * Frames of the last SECONDS_KEPT seconds, and before that of steps of STEP_SECONDS. A step is made of the histograms
 * of its seconds, as soon as the next one begins; what is kept of it is the frame.
 */
export class History {
  readonly #seconds: Frame[] = []
  readonly #steps: Frame[] = []
  #step: Second[] = []

  /** Adds a second that is later than all before. */
  add(second: Second, frame: Frame): void {
    const [first] = this.#step
    if (first !== undefined && stepOf(first.atMs) !== stepOf(second.atMs)) this.#closeStep()
    this.#step.push(second)
    push(this.#seconds, frame, SECONDS_KEPT)
  }

  /** Frames that end after `sinceMs`, oldest first; no moment is in two of them. */
  since(sinceMs: number): readonly Frame[] {
    const firstSecond = this.#seconds[0]
    // Steps only for what the seconds do not reach back to.
    const secondsFromMs = firstSecond === undefined ? Number.POSITIVE_INFINITY : firstSecond.atMs - SECOND_MS
    const steps = this.#steps.filter((step) => step.atMs > sinceMs && step.atMs <= secondsFromMs)
    return [...steps, ...this.#seconds.filter((second) => second.atMs > sinceMs)]
  }

  #closeStep(): void {
    const step = mergeTime(this.#step)
    // A step whose first or last seconds are missing still covers its time: the frame ends where the step does.
    const atMs = (stepOf(step.atMs) + 1) * STEP_MS
    push(this.#steps, { ...frameOf(step, STEP_SECONDS), atMs }, STEPS_KEPT)
    this.#step = []
  }
}

/** The second that ends at a multiple of the step belongs to the step that ends there. */
function stepOf(atMs: number): number {
  return Math.ceil(atMs / STEP_MS) - 1
}

function push(frames: Frame[], frame: Frame, kept: number): void {
  frames.push(frame)
  // Let go in bulk, since removing the first of a long list costs its length.
  if (frames.length >= kept * 1.25) frames.splice(0, frames.length - kept)
}
