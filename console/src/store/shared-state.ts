import { useEffect, useSyncExternalStore } from 'react'

/** Something that the console's server tells, kept once for all of the page that shows it, and read again. */
export type SharedState<State> = {
  readonly intervalMs: number
  get(): State
  /** At once, after an act. A read that began before it shows nothing any more, for that would be what was before. */
  readAgain(): Promise<void>
  /** Something beside the state has changed. */
  announce(): void
  subscribe(listener: () => void): () => void
}

/** `read` never rejects: that it failed is a state. */
export function sharedState<State>(
  initial: State,
  { read, intervalMs }: { readonly read: () => Promise<State>; readonly intervalMs: number },
): SharedState<State> {
  const listeners = new Set<() => void>()
  let state = initial
  let reads = 0
  const announce = () => {
    for (const listener of listeners) listener()
  }
  return {
    intervalMs,
    get: () => state,
    async readAgain() {
      reads += 1
      const own = reads
      const next = await read()
      if (own !== reads) return
      state = next
      announce()
    },
    announce,
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

/** The state as it is now; while it is on screen it is read again from time to time. */
export function useSharedState<State>(shared: SharedState<State>): State {
  useEffect(() => {
    void shared.readAgain()
    const timer = setInterval(() => {
      if (!document.hidden) void shared.readAgain()
    }, shared.intervalMs)
    return () => clearInterval(timer)
  }, [shared])
  return useSyncExternalStore(shared.subscribe, shared.get)
}
