import { note } from './output.ts'
import { aborted } from './signals.ts'

/** Something that runs until it is told to stop, or fails. */
export type Running = {
  readonly stop: () => Promise<void>
  readonly failed: Promise<never>
}

/**
 * Starts something, says that it is ready, waits for the signal or a failure, and stops it. A signal during the start
 * interrupts that, and is no failure. Throws what failed; of a stop that fails after a failure, both.
 */
export async function runUntilStopped<Started extends Running>(
  signal: AbortSignal,
  start: () => Promise<Started>,
  ready: (started: Started) => Promise<void>,
): Promise<void> {
  signal.addEventListener('abort', () => note('stopping: finishing what was accepted'), { once: true })
  const started = await unlessInterrupted(signal, start)
  if (started !== undefined) {
    const errors: unknown[] = []
    const work = signal.aborted ? Promise.resolve() : ready(started)
    await Promise.race([work.then(() => aborted(signal)), started.failed]).catch((error) => errors.push(error))
    await started.stop().catch((error) => errors.push(error))
    if (errors.length > 0) throw errors.length === 1 ? errors[0] : new AggregateError(errors)
  }
  note('stopped')
}

async function unlessInterrupted<T>(signal: AbortSignal, start: () => Promise<T>): Promise<T | undefined> {
  try {
    return await start()
  } catch (error) {
    if (signal.aborted && error === signal.reason) return undefined
    throw error
  }
}
