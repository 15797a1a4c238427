import { type Lifecycle, messageOf, STOP_GRACE_MS, type StopOptions, systemClock } from '../core/index.ts'
import { runtimeError } from './errors.ts'

/** What was started, stopped in reverse order, once. */
export class StartedParts {
  private readonly parts: { readonly name: string; readonly stop: Lifecycle['stop'] }[] = []
  private stopping: Promise<void> | undefined

  push(name: string, stop: Lifecycle['stop']): void {
    this.parts.push({ name, stop })
  }

  get isStopping(): boolean {
    return this.stopping !== undefined
  }

  /** A part that fails to stop keeps no other from it. Throws RUNTIME_STOP_FAILED with every failure. Idempotent. */
  stop(): Promise<void> {
    this.stopping ??= this.unwind({ deadlineAtMs: systemClock.now() + STOP_GRACE_MS })
    return this.stopping
  }

  private async unwind(options: StopOptions): Promise<void> {
    const failures: { readonly name: string; readonly error: unknown }[] = []
    for (const { name, stop } of this.parts.reverse()) {
      await stop(options).catch((error: unknown) => failures.push({ name, error }))
    }
    if (failures.length === 0) return
    const list = failures.map(({ name, error }) => `${name} (${messageOf(error)})`).join(', ')
    throw runtimeError('RUNTIME_STOP_FAILED', `did not stop as it should: ${list}; everything else is stopped`, {
      cause: new AggregateError(failures.map(({ error }) => error)),
    })
  }
}
