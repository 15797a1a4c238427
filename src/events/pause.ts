import { FAILURE_BACKOFF_MS_MAX, FAILURE_BACKOFF_MS_MIN } from './limits.ts'

/** A pause between half and one and a half times `pauseMs`, so that processes do not move in step. */
export function jittered(pauseMs: number): number {
  return pauseMs * (0.5 + Math.random())
}

/** The pause after the failure with this number, counted from 0. */
export function backoffMs(failures: number): number {
  return jittered(Math.min(FAILURE_BACKOFF_MS_MAX, FAILURE_BACKOFF_MS_MIN * 2 ** Math.min(failures, 20)))
}
