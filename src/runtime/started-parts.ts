import { type Lifecycle, messageOf, STOP_GRACE_MS, type StopOptions, systemClock } from '../core/index.ts'
import { runtimeError } from './errors.ts'

type Part = { readonly name: string; readonly stop: Lifecycle['stop']; readonly reservedMs: number }

/** What was started, stopped in reverse order, once. */
export class StartedParts {
  private readonly parts: Part[] = []
  private stopping: Promise<void> | undefined

  /** `reservedMs` of the time for stopping are this part's own: those that stop before it end that much earlier. */
  push(name: string, stop: Lifecycle['stop'], reservedMs = 0): void {
    this.parts.push({ name, stop, reservedMs })
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
    let keptMs = this.parts.reduce((sum, { reservedMs }) => sum + reservedMs, 0)
    for (const { name, stop, reservedMs } of this.parts.reverse()) {
      keptMs -= reservedMs
      const deadlineAtMs = options.deadlineAtMs - keptMs
      await stop({ deadlineAtMs }).catch((error: unknown) => failures.push({ name, error }))
    }
    if (failures.length === 0) return
    const list = failures.map(({ name, error }) => `${name} (${messageOf(error)})`).join(', ')
    throw runtimeError('RUNTIME_STOP_FAILED', `did not stop as it should: ${list}; everything else is stopped`, {
      cause: new AggregateError(failures.map(({ error }) => error)),
    })
  }
}
