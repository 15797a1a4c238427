/** A whole response of a service, as it came. */
export type StoredResponse = {
  readonly status: number
  /** Names and values in turn, without those that are about a connection. */
  readonly headers: readonly string[]
  readonly body: Buffer
  /** Milliseconds since the Unix epoch. */
  readonly storedAtMs: number
  /** How long it may be answered with from then on. */
  readonly freshMs: number
}

export type Lookup = {
  readonly response: StoredResponse | undefined
  /** Goes with what is stored because of this look: what was removed in between must not come back by it. */
  readonly epoch: string
}

/**
 * Where one plugin keeps responses, by key. May lose any of them at any time, and never answers one key with another's.
 * What is fresh is for the caller to say. Rejects when it cannot be reached.
 */
export type ResponseStore = {
  find(key: string): Lookup | Promise<Lookup>
  /** Keeps it for `keptMs` at most; not at all when something was removed since the look of that `epoch`. */
  keep(key: string, response: StoredResponse, keeping: Keeping): undefined | Promise<void>
  /** Whether there was one. */
  remove(key: string): boolean | Promise<boolean>
  /** Removes all that the plugin has kept. */
  clear(): undefined | Promise<void>
}

export type Keeping = { readonly keptMs: number; readonly epoch: string }

/** What operators may do with the responses that a plugin keeps. */
export type CachedResponses = Pick<ResponseStore, 'find' | 'remove' | 'clear'>

/** Counts removals, over all configurations of a plugin. */
export type RemovalCount = { removals: number }
