import { jittered } from '../core/index.ts'
import { FAILURE_BACKOFF_MS_MAX, FAILURE_BACKOFF_MS_MIN } from './limits.ts'

/** The pause after the failure of the infrastructure with this number, counted from 0. */
export function backoffMs(failures: number): number {
  return jittered(Math.min(FAILURE_BACKOFF_MS_MAX, FAILURE_BACKOFF_MS_MIN * 2 ** Math.min(failures, 20)))
}
