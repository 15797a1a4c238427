import { type Clock, systemClock } from '../../core/index.ts'

/**
 * Says yes at most `perSecond` times a second, in bursts of up to one second's worth: a token bucket. By rate and not
 * by share, so that the first request of a quiet evening is kept and the cost of a flash sale stays the same.
 */
export function createSampler(perSecond: number, clock: Clock = systemClock): () => boolean {
  let tokens = perSecond
  let filledAtMs = clock.now()
  return () => {
    const nowMs = clock.now()
    // A clock that was put back gives no tokens, and takes none.
    tokens = Math.min(perSecond, tokens + (Math.max(0, nowMs - filledAtMs) * perSecond) / 1_000)
    filledAtMs = nowMs
    if (tokens < 1) return false
    tokens -= 1
    return true
  }
}
