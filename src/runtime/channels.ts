import { facts } from '../core/index.ts'

/** A batch of spans did not reach the collector in time, and is lost. */
export const exportFailed = facts<{ readonly collector: string; readonly reason: string }>('runtime.export-failed')

/** A promise was rejected and nobody waited for it; the process comes to its end. */
export const rejectionUnhandled = facts<{ readonly error: unknown }>('runtime.rejection-unhandled')

/** A round of housekeeping failed; the next one tries again. */
export const housekeepingFailed = facts<{ readonly task: string; readonly error: unknown }>(
  'runtime.housekeeping-failed',
)
