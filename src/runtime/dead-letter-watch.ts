import type { OpenCluster } from '../data/index.ts'
import { type ParkedCounts, parkedCounts } from '../events/index.ts'
import type { Telemetry } from '../telemetry/index.ts'
import { DEAD_LETTERS_POLL_MS } from './limits.ts'

/**
 * Dead letters of a group are a degradation for as long as there are any: their keys stand still until somebody
 * redrives them, and nothing else gets better by itself either.
 */
export class DeadLetterWatch {
  readonly #cluster: OpenCluster
  readonly #telemetry: Telemetry
  #told = new Set<string>()
  #nextAtMs = 0

  constructor(cluster: OpenCluster, telemetry: Telemetry) {
    this.#cluster = cluster
    this.#telemetry = telemetry
  }

  /** Counts them, unless that was done just now. Rejects when a shard does not answer. */
  async look(nowMs: number): Promise<void> {
    if (nowMs < this.#nextAtMs) return
    this.#nextAtMs = nowMs + DEAD_LETTERS_POLL_MS
    this.#tell(messagesOf(await parkedCounts(this.#cluster)))
  }

  /** Another process tells of them from now on. */
  forget(): void {
    this.#nextAtMs = 0
    this.#tell(new Map())
  }

  #tell(messages: ReadonlyMap<string, string>): void {
    for (const part of this.#told) if (!messages.has(part)) this.#telemetry.recovered(part)
    for (const [part, message] of messages) this.#telemetry.degraded(part, message)
    this.#told = new Set(messages.keys())
  }
}

function messagesOf(counts: readonly ParkedCounts[]): ReadonlyMap<string, string> {
  const byGroup = Map.groupBy(counts, ({ group }) => group)
  return new Map(
    [...byGroup].flatMap(([group, topics]) => {
      const dead = topics.reduce((sum, topic) => sum + topic.dead, 0)
      const waiting = topics.reduce((sum, topic) => sum + topic.waiting, 0)
      return dead === 0 ? [] : [[`dead letters of ${group}`, messageOf({ group, dead, waiting })] as const]
    }),
  )
}

type Count = { readonly group: string; readonly dead: number; readonly waiting: number }

function messageOf({ group, dead, waiting }: Count): string {
  const behind = waiting === 0 ? '' : `, with ${waiting} of the same keys behind`
  return `${dead} given up${behind}; groundswell events dlq --group ${group} says why`
}
