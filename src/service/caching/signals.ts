/** A transaction of this process that invalidated tags and has committed. */
export type Invalidation = { readonly shard: number; readonly tags: readonly string[]; readonly xid: number }

type Listener = (invalidation: Invalidation) => void

const listeners = new Set<Listener>()

/** Raises the fences of this process, before whoever wrote is answered. */
export function invalidationCommitted(invalidation: Invalidation): void {
  for (const listener of listeners) listener(invalidation)
}

/** Calls `listener` after each commit that invalidated something; returns how to end that. */
export function onInvalidationCommitted(listener: Listener): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}
