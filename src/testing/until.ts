import { delay } from '../core/index.ts'

const POLL_MS = 20
const TIMEOUT_MS = 30_000

/**
 * Resolves with what `condition` answers as soon as that is truthy; asks again every 20 ms. Throws after `timeoutMs`
 * (30 s when not given) saying `what` did not happen: a bound for broken tests, never a measure.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: { readonly timeoutMs?: number; readonly what?: string } = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + (options.timeoutMs ?? TIMEOUT_MS)
  for (;;) {
    const answer = await condition()
    if (answer) return answer as NonNullable<Exclude<T, false>>
    if (performance.now() > deadline) throw new Error(`did not happen in time: ${options.what ?? condition.toString()}`)
    await delay(POLL_MS)
  }
}
