import { delay } from '../core/index.ts'
import type { PlacedEvent } from './broker-record.ts'
import type { CallOptions } from './calls.ts'
import { gapMet } from './channels.ts'
import { eventsError } from './errors.ts'
import { BROKER_PARKED_REFRESH_MS, CONTROL_POLL_MS, PARKED_KEYS_MAX } from './limits.ts'
import { endsOf } from './plan.ts'
import type { LoggedEvent } from './segment.ts'
import { Targets, type TargetsOptions } from './targets.ts'

export type SourceDeliveryOptions = TargetsOptions & {
  readonly call: CallOptions
  /** The process stops: nothing is waited for any more. */
  readonly stopping: AbortSignal
  /** How often operators have moved the group on a source shard, as far as this process has heard. */
  readonly movesOf: (source: number) => number
  /** Events of this source are parked here: there is something to try again. */
  readonly onParked: (source: number) => void
}

/** A stream of which the broker lacks what comes next: the group has come to `reached`, and it goes on at `after`. */
type Gap = { readonly topic: string; readonly stream: string; readonly reached: number; readonly after: number }

/** What is known of the databases. Thrown away after each error, since what was committed is then unknown. */
type Knowledge = { readonly targets: Targets; readonly moves: number; refreshAtMs: number }

/**
 * Brings events that a broker carried, of one group and one source shard, to their targets. The position of a stream in
 * the source shard is the group's: a record below it was delivered before, and one whose predecessor lies above it
 * follows a gap. The same position in another shard is the inbox of what landed there. Both move by compare-and-set in
 * the transaction of the effects, so that it does not matter who else delivers the same records at the same time.
 */
export class SourceDelivery {
  private readonly options: SourceDeliveryOptions
  private knowledge: Knowledge | undefined
  /** Those that streams stand at, as far as this process has met them. */
  private readonly gaps = new Map<string, Gap>()

  constructor(options: SourceDeliveryOptions) {
    this.options = options
  }

  /**
   * Delivers what is new of these events, which are in order within each stream; those of streams that are held, once
   * they are not any more. Throws EVENTS_OFFSET_EXPIRED once all that does not follow a gap is delivered.
   */
  async deliver(placed: readonly PlacedEvent[]): Promise<void> {
    let held = await this.deliverFree(placed)
    while (held.length > 0) {
      await delay(CONTROL_POLL_MS, this.options.stopping)
      const { stopping, group } = this.options
      if (stopping.aborted) throw eventsError('EVENTS_GROUP_PAUSED', `${group.name} is being replayed`)
      this.knowledge = undefined
      held = await this.deliverFree(held)
    }
  }

  /** Whether a stream stands at a gap. */
  get hasGap(): boolean {
    return this.gaps.size > 0
  }

  /** Whoever has these streams from now on tells of their gaps. */
  leaveGaps(isLeft: (stream: string) => boolean): void {
    for (const [stream, gap] of this.gaps) if (isLeft(stream)) this.closeGap(gap)
  }

  /** As `deliver`, but for events of streams that are held: these it returns. */
  private async deliverFree(placed: readonly PlacedEvent[]): Promise<readonly PlacedEvent[]> {
    // Compare-and-set would find out as well, but only after external calls were made for nothing.
    if (this.knowledge?.moves !== this.moves) this.knowledge = undefined
    const isFresh = this.knowledge === undefined
    let knowledge = this.knowledge ?? (await this.load())
    this.knowledge = knowledge
    try {
      await this.refresh(knowledge)
      let unseen = this.unseen(knowledge, placed)
      // Another process may have had the partition since, and delivered what seems to be missing.
      if (!isFresh && unseen.gaps.length > 0) {
        knowledge = await this.load()
        this.knowledge = knowledge
        unseen = this.unseen(knowledge, placed)
      }
      const { events, held, gaps } = unseen
      if (events.length > 0) await this.toTargets(knowledge, events)
      this.tellGaps(knowledge, gaps)
      if (gaps[0] !== undefined) throw this.expired(gaps[0])
      if (knowledge.targets.parkedCount > 0) this.options.onParked(this.options.source.index)
      return held
    } catch (error) {
      this.knowledge = undefined
      throw error
    }
  }

  private get moves(): number {
    const { movesOf, source } = this.options
    return movesOf(source.index)
  }

  private async load(): Promise<Knowledge> {
    const moves = this.moves
    const targets = await Targets.load(this.options)
    return { targets, moves, refreshAtMs: performance.now() + BROKER_PARKED_REFRESH_MS }
  }

  /** Parked events are tried again elsewhere: which keys are free again is looked up. */
  private async refresh(knowledge: Knowledge): Promise<void> {
    const { targets } = knowledge
    const parkedKeys = targets.parkedCount
    if (parkedKeys === 0 || performance.now() < knowledge.refreshAtMs) return
    knowledge.refreshAtMs = performance.now() + BROKER_PARKED_REFRESH_MS
    await targets.refreshParked('parking')
    if (targets.parkedCount < PARKED_KEYS_MAX) return
    const { group, source } = this.options
    throw eventsError(
      'EVENTS_PARKED_TOO_MANY',
      `${parkedKeys} keys of ${group.name} from shard ${source.index} are parked: nothing new is delivered`,
    )
  }

  /** What was not delivered before, up to the first gap of each stream, and but for what is held. */
  private unseen(knowledge: Knowledge, placed: readonly PlacedEvent[]) {
    const { own } = knowledge.targets
    const next = new Map<string, number>()
    const events: LoggedEvent[] = []
    const held: PlacedEvent[] = []
    const gaps = new Map<string, Gap>()
    for (const one of placed) {
      const { after, event } = one
      const { topic, stream, offset } = event
      if (gaps.has(stream)) continue
      const reached = next.get(stream) ?? own.reached(stream, topic)
      if (offset < reached) continue
      if (reached < (own.held.get(stream) ?? 0)) {
        held.push(one)
        continue
      }
      // A stream that the group has never read begins with the oldest record that the broker has kept.
      if (after > reached && reached > 0) {
        gaps.set(stream, { topic, stream, reached, after })
        continue
      }
      events.push(event)
      next.set(stream, offset + 1)
    }
    return { events, held, gaps: [...gaps.values()] }
  }

  /** Not that a record of the stream came: what lies before the gap comes again with each attempt. */
  private tellGaps({ targets }: Knowledge, met: readonly Gap[]): void {
    for (const gap of met) {
      this.gaps.set(gap.stream, gap)
      this.tellGap(gap, true)
    }
    for (const gap of this.gaps.values()) {
      if (targets.own.reached(gap.stream, gap.topic) >= gap.after) this.closeGap(gap)
    }
  }

  private closeGap(gap: Gap): void {
    this.gaps.delete(gap.stream)
    this.tellGap(gap, false)
  }

  private tellGap(gap: Gap, isOpen: boolean): void {
    const { group, source } = this.options
    gapMet.publish({ group: group.name, source: source.index, ...gap, isOpen })
  }

  private expired({ stream, reached, after }: Gap): Error {
    const { group, source } = this.options
    return eventsError(
      'EVENTS_OFFSET_EXPIRED',
      `${group.name} has read ${stream} of shard ${source.index} up to ${reached}, and the broker goes on at ${after}`,
      { details: { group: group.name, source: source.index, stream, reached, after } },
    )
  }

  private async toTargets({ targets }: Knowledge, events: readonly LoggedEvent[]): Promise<void> {
    const ends = endsOf(events)
    if (await targets.deliver(events, ends, this.options.call)) return
    await targets.own.create([...ends.keys()])
    await targets.own.advance(ends)
  }
}
