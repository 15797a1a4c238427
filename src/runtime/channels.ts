import { facts } from '../core/index.ts'

/** A round of housekeeping failed; the next one tries again. */
export const housekeepingFailed = facts<{ readonly task: string; readonly error: unknown }>(
  'runtime.housekeeping-failed',
)
