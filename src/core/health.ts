/**
 * What a process says of itself. Two questions with two askers: whoever restarts it asks whether it is alive, which
 * must never depend on anything else, since a restart repairs no database; whoever sends it requests asks whether it is
 * ready.
 */
export type Health = {
  readiness(): Readiness
}

export type Readiness =
  | {
      readonly status: 'ready'
      /** What does not work while the rest does, such as one shard of several. */
      readonly degraded: readonly string[]
    }
  | { readonly status: 'starting' | 'unavailable' | 'draining'; readonly reason: string }

export type ProbeAnswer = { readonly status: 200 | 503; readonly body: Readonly<Record<string, unknown>> }

/** Health of what has nothing to wait for. */
export const alwaysReady: Health = { readiness: () => ({ status: 'ready', degraded: [] }) }

/** Answers that the event loop turns, which is all that `/livez` may say. */
const ALIVE: ProbeAnswer = { status: 200, body: { status: 'alive' } }

/** The answer to `/livez` or `/readyz`; undefined for any other path. */
export function answerProbe(path: string, health: Health): ProbeAnswer | undefined {
  if (path === '/livez') return ALIVE
  if (path !== '/readyz') return undefined
  const readiness = health.readiness()
  if (readiness.status !== 'ready') return { status: 503, body: readiness }
  const { status, degraded } = readiness
  return { status: 200, body: degraded.length === 0 ? { status } : { status, degraded } }
}
