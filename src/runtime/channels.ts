import { facts } from '../core/index.ts'

/** A batch of spans did not reach the collector in time, and is lost. */
export const exportFailed = facts<{ readonly collector: string; readonly reason: string }>('runtime.export-failed')

/** A round of housekeeping failed; the next one tries again. */
export const housekeepingFailed = facts<{ readonly task: string; readonly error: unknown }>(
  'runtime.housekeeping-failed',
)
