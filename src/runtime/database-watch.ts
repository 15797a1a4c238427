import { type Clock, GroundswellError, systemClock } from '../core/index.ts'
import type { Cluster } from '../data/index.ts'
import { DATABASE_CHECK_MS, DATABASE_SILENT_MS } from './limits.ts'

export type DatabaseWatchOptions = {
  readonly shards: Cluster['shards']
  readonly clock?: Clock
  readonly checkMs?: number
}

type Watched = { readonly label: string; answeredAtMs: number; timer: NodeJS.Timeout | undefined }

/**
 * Asks each database once a second whether it is there. A question that hangs delays only its own shard's next one, and
 * one that fails for want of a free connection proves nothing about the database.
 */
export class DatabaseWatch {
  readonly #options: DatabaseWatchOptions
  readonly #clock: Clock
  readonly #watched: readonly Watched[]
  #isStopped = false

  constructor(options: DatabaseWatchOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    const answeredAtMs = this.#clock.now()
    this.#watched = options.shards.map(({ index, label }) => {
      return { label: `shard ${index} (${label})`, answeredAtMs, timer: undefined }
    })
  }

  get count(): number {
    return this.#watched.length
  }

  /** The databases that have not answered for DATABASE_SILENT_MS, each with for how long. */
  silent(): readonly string[] {
    const nowMs = this.#clock.now()
    return this.#watched
      .filter(({ answeredAtMs }) => nowMs - answeredAtMs > DATABASE_SILENT_MS)
      .map(({ label, answeredAtMs }) => `${label} has been silent for ${Math.round((nowMs - answeredAtMs) / 1_000)} s`)
  }

  start(): void {
    this.#watched.forEach((watched, index) => {
      void this.#ask(watched, index)
    })
  }

  stop(): void {
    this.#isStopped = true
    for (const { timer } of this.#watched) clearTimeout(timer)
  }

  async #ask(watched: Watched, index: number): Promise<void> {
    if (await this.#answers(index)) watched.answeredAtMs = this.#clock.now()
    if (this.#isStopped) return
    watched.timer = setTimeout(() => void this.#ask(watched, index), this.#options.checkMs ?? DATABASE_CHECK_MS)
    watched.timer.unref()
  }

  async #answers(index: number): Promise<boolean> {
    try {
      await this.#options.shards[index]?.query('SELECT 1')
      return true
    } catch (error) {
      return error instanceof GroundswellError && !SILENCE.has(error.code)
    }
  }
}

/** Errors of a database that did not answer, as against one that is busy. */
const SILENCE = new Set(['DATA_UNREACHABLE', 'DATA_CONNECTION_LOST', 'DATA_STATEMENT_TIMEOUT'])
