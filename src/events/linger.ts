import { DELIVERY_LINGER_MS_MAX, DELIVERY_LINGER_MS_MIN, DELIVERY_LINGER_MS_SATURATED } from './limits.ts'
import { pace } from './pace.ts'

/** Pause between the beginning of a delivery of so many `events`, of at most `max`, and that of the next. */
export function lingerMsAfter(events: number, max: number): number {
  if (events === 0 || events >= max) return 0
  const lingerMs = Math.min(DELIVERY_LINGER_MS_MAX, Math.max(DELIVERY_LINGER_MS_MIN, events))
  return Math.min(DELIVERY_LINGER_MS_SATURATED, lingerMs * pace.factor())
}
