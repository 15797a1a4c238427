import { delay, jittered } from '../core/index.ts'
import type { Shard } from '../data/index.ts'
import { groupPaused, workFailed } from './channels.ts'
import { type GroupState, groupStates } from './engines/postgres-groups.ts'
import { CONTROL_POLL_MS } from './limits.ts'
import type { Group } from './plan.ts'

export type GroupStatesOptions = {
  readonly shard: Shard
  readonly groups: readonly Group[]
  /** The state of a group may have changed. */
  readonly onChange: (group: string) => void
}

/**
 * What operators want of the groups on one shard, and what retention did to them, asked of the database several times a
 * second: every process learns of it within a second, and after a restart at once. While the database is away, what was
 * known holds.
 */
export class GroupStates {
  private readonly options: GroupStatesOptions
  private readonly stopping = new AbortController()
  private readonly topics: ReadonlyMap<string, readonly string[]>
  private states = new Map<string, GroupState>()
  private polling: Promise<void> | undefined

  constructor(options: GroupStatesOptions) {
    this.options = options
    this.topics = new Map(options.groups.map(({ name, consumers }) => [name, [...consumers.keys()]]))
  }

  /** Resolves when the states are known. */
  async start(): Promise<void> {
    if (this.options.groups.length === 0) return
    await this.look()
    this.polling = this.poll()
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await this.polling
  }

  isPaused(group: string): boolean {
    return this.states.get(group)?.isPaused ?? false
  }

  /** How often operators have moved it: whoever knows of another number knows its positions no more. */
  movesOf(group: string): number {
    return this.states.get(group)?.moves ?? 0
  }

  /** Whether an operator asked for a replay that no worker has taken yet. */
  isReplayAsked(group: string): boolean {
    return this.states.get(group)?.isReplayAsked ?? false
  }

  /** A worker has taken all replays. */
  replaysTaken(group: string): void {
    const state = this.states.get(group)
    if (state !== undefined) this.states.set(group, { ...state, isReplayAsked: false })
  }

  /** Whether a worker must load what it knows of its group again before it goes on. */
  isDisturbed(group: string): boolean {
    const state = this.states.get(group)
    return state !== undefined && (state.isReplayAsked || state.hasMissed)
  }

  /** A worker has loaded all there is to know. */
  settled(group: string): void {
    const state = this.states.get(group)
    if (state !== undefined) this.states.set(group, { ...state, isReplayAsked: false, hasMissed: false })
  }

  private async poll(): Promise<void> {
    const { shard } = this.options
    for (;;) {
      await delay(jittered(CONTROL_POLL_MS), this.stopping.signal)
      if (this.stopping.signal.aborted) return
      try {
        await this.look()
      } catch (error) {
        workFailed.publish({ shard: shard.index, part: 'group states', error, retryInMs: CONTROL_POLL_MS })
      }
    }
  }

  private async look(): Promise<void> {
    const { shard, onChange } = this.options
    const before = this.states
    const states = await groupStates(shard, this.topics)
    this.states = new Map(states.map((state) => [state.group, state]))
    for (const { group, isPaused: paused } of states) {
      const old = before.get(group)
      if ((old?.isPaused ?? false) !== paused) groupPaused.publish({ group, shard: shard.index, paused })
      if (old?.isPaused !== paused || this.isDisturbed(group)) onChange(group)
    }
  }
}
