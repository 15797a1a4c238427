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

/**
 * Where responses are kept, by key. May lose any of them at any time, and never answers one key with another's. What is
 * fresh is for the caller to say. Rejects when it cannot be reached.
 */
export type ResponseStore = {
  get(key: string): StoredResponse | undefined | Promise<StoredResponse | undefined>
  /** Keeps it for `keptMs` at most. */
  set(key: string, response: StoredResponse, keptMs: number): undefined | Promise<void>
}
