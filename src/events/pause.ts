import { jittered } from '../core/index.ts'
import { FAILURE_BACKOFF_MS_MAX, FAILURE_BACKOFF_MS_MIN } from './limits.ts'

/** What is longest once it is jittered by a half: cut off only then, every second pause would be the same. */
const MIDDLE_MS_MAX = FAILURE_BACKOFF_MS_MAX / 1.5

/**
 * The pause after the failure of the infrastructure with this number, counted from 0: FAILURE_BACKOFF_MS_MAX at most.
 */
export function backoffMs(failures: number): number {
  return jittered(Math.min(MIDDLE_MS_MAX, FAILURE_BACKOFF_MS_MIN * 2 ** Math.min(failures, 20)))
}
