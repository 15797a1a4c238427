import type { Cluster, Queryable, Shard, Transaction } from '../data/index.ts'
import { type CallOptions, makeCalls } from './calls.ts'
import { delivered, parked, replayed } from './channels.ts'
import type { Consumer, Delivery } from './consumer.ts'
import {
  type DueEvent,
  dueEvents,
  failParked,
  loadParkedKeys,
  parkEvents,
  promoteOrphans,
  takeParked,
} from './engines/postgres-parking.ts'
import {
  advancePositions,
  createPositions,
  type GroupPositions,
  loadGroup,
  type Moves,
  type PositionScope,
  type Positions,
} from './engines/postgres-positions.ts'
import { eventsError, isInfrastructure, isTimeout, textOf } from './errors.ts'
import { RETRY_EVENTS_MAX } from './limits.ts'
import {
  beginSpans,
  changes,
  envelopeFor,
  type Group,
  type Item,
  type ItemSpan,
  itemOf,
  reach,
  type Sorted,
  sortItems,
} from './plan.ts'
import type { LoggedEvent } from './segment.ts'
import { tracedOf } from './traced.ts'

export type RetryPolicy = {
  /** Attempts after which a parked event is a dead letter. */
  readonly attemptsMax: number
  readonly backoff: { readonly minMs: number; readonly maxMs: number }
}

export type TargetOptions = {
  readonly cluster: Cluster
  /** Where the effects land. */
  readonly shard: Shard
  readonly group: Group
  /** Shard whose log the events come from. */
  readonly source: number
  readonly retry: RetryPolicy
}

/**
 * Brings events of one group and one source shard to one target shard: effects, position and parked events in one
 * transaction, hence each effect exactly once. What it knows of the database, positions and parked keys, is true for as
 * long as its compare-and-set succeeds; after any error that `isInfrastructure`, or a lost position, load a new one.
 */
export class Target {
  readonly positions: Map<string, number>
  /** Streams that the group has from the log instead of from its broker, up to these offsets, when this was loaded. */
  readonly held: Positions
  /** Keys with parked events here. */
  parkedKeys: Set<string>
  private readonly options: TargetOptions
  private readonly scope: PositionScope
  private readonly moves: Moves

  static async load(options: TargetOptions): Promise<Target> {
    const { shard, group, source } = options
    const scope = { group: group.name, source }
    const target = new Target(options, await loadGroup(shard, scope))
    await target.refreshParked()
    return target
  }

  private constructor(options: TargetOptions, { positions, moves, held }: GroupPositions) {
    this.options = options
    this.scope = { group: options.group.name, source: options.source }
    this.positions = positions
    this.moves = moves
    this.held = held
    this.parkedKeys = new Set()
  }

  /** Looks which keys are parked, and frees those whose first event an operator has deleted. */
  async refreshParked(): Promise<void> {
    this.parkedKeys = await loadParkedKeys(this.options.shard, this.scope)
    if (this.parkedKeys.size > 0) await promoteOrphans(this.options.shard, this.scope)
  }

  /** Those whose effects are not here yet: after a crash between target and source, some are. */
  fresh(items: readonly Item[]): Item[] {
    return items.filter(({ event }) => event.offset >= this.reached(event.stream, event.topic))
  }

  /**
   * Offset up to which a stream is done: a partition's own, or what its topic had come to before a broker carried it.
   */
  reached(stream: string, topic: string): number {
    return Math.max(this.positions.get(stream) ?? 0, this.positions.get(topic) ?? 0)
  }

  /**
   * Makes the calls, then the effects, and moves the positions to `ends`. Events that fail are parked; those that come
   * again for a consumer that skips replays are passed over.
   */
  async deliver(all: readonly Item[], ends: Positions, call: CallOptions): Promise<void> {
    await this.create([...ends.keys()])
    const items = this.markReplays(all)
    if (delivered.hasSubscribers) beginSpans(items)
    await makeCalls(
      items.filter((item) => !this.parkedKeys.has(item.event.envelope.key)),
      call,
    )
    await this.attempt(items, ends)
  }

  /** Marks the replays among these, and leaves out those that are skipped. */
  private markReplays(items: readonly Item[]): readonly Item[] {
    if (this.moves.size === 0) return items
    for (const item of items) item.isReplay = this.isReplay(item.event)
    const kept = items.filter(({ isReplay, consumer }) => !isReplay || consumer.replay === 'run')
    const events = items.reduce((count, { isReplay }) => count + Number(isReplay), 0)
    const { group, source } = this.scope
    if (events > 0) replayed.publish({ group, source, events, skipped: items.length - kept.length })
    return kept
  }

  /** What its topic had come to before a broker carried it counts as well. */
  private isReplay({ stream, topic, offset }: LoggedEvent): boolean {
    return [stream, topic].some((one) => offset < (this.moves.get(one)?.replayUntil ?? 0))
  }

  /** Makes positions at offset 0 of streams that have none here. */
  async create(streams: readonly string[]): Promise<void> {
    const missing = streams.filter((stream) => !this.positions.has(stream))
    if (missing.length === 0) return
    await createPositions(this.options.shard, this.scope, missing)
    for (const stream of missing) this.positions.set(stream, 0)
  }

  /** Moves positions to `ends` when no effect carries them along. */
  async advance(ends: Positions): Promise<void> {
    const next = changes(ends, this.positions)
    if (next.size === 0) return
    const advanced = await this.claim(this.options.shard, next)
    if (!advanced) throw this.positionTaken()
    for (const [stream, offset] of next) this.positions.set(stream, offset)
  }

  /** Attempts parked events that are due; returns how many there were. */
  async retryDue(call: CallOptions): Promise<number> {
    const due = await dueEvents(this.options.shard, this.scope, RETRY_EVENTS_MAX)
    const retries: Retry[] = []
    for (const one of due) {
      const consumer = this.options.group.consumers.get(one.event.topic)
      if (consumer === undefined)
        await this.failAgain({ due: one }, `no consumer of ${one.event.topic} is left in the group`, 'dead')
      else retries.push({ due: one, item: { ...itemOf(one.event, consumer), isReplay: one.isReplay } })
    }
    const items = retries.map((retry) => retry.item)
    if (delivered.hasSubscribers) beginSpans(items)
    await makeCalls(items, call)
    const ready: Retry[] = []
    for (const retry of retries) {
      const { outcome } = retry.item
      if (outcome.kind === 'failed') await this.failAgain(retry, outcome.error, outcome.state)
      else ready.push(retry)
    }
    if (ready.length > 0) await this.attemptAgain(ready)
    return due.length
  }

  /** All in one transaction; when a handler throws, in halves, in order, until the culprit is alone and gets parked. */
  private async attempt(items: readonly Item[], ends: Positions): Promise<void> {
    const sorted = sortItems(items, this.parkedKeys)
    try {
      await this.commit(sorted, ends)
    } catch (error) {
      const [culprit] = sorted.runnable
      if (isInfrastructure(error) || culprit === undefined) throw error
      // The worker comes again with a smaller batch: if its size is the reason, halves would only take as long.
      if (isTimeout(error) && sorted.runnable.length > 1) throw error
      if (sorted.runnable.length === 1) {
        culprit.outcome = { kind: 'failed', state: 'retrying', error }
        return this.attempt(items, ends)
      }
      const middle = sorted.runnable[sorted.runnable.length >> 1] as Item
      const cut = items.indexOf(middle)
      await this.attempt(items.slice(0, cut), reach(ends, items.slice(cut)))
      await this.attempt(items.slice(cut), ends)
    }
  }

  private async commit({ runnable, parking }: Sorted, ends: Positions): Promise<void> {
    const { shard, retry } = this.options
    const startedAtMs = performance.now()
    const next = changes(ends, this.positions)
    await shard.transaction(async (tx) => {
      // Not awaited before the handlers run: it travels with their first query, and nothing counts until both are done.
      const claim = this.claim(tx, next)
      const park =
        parking.length === 0
          ? undefined
          : parkEvents(tx, this.scope, {
              events: parking.map(({ item: { event, isReplay = false }, state, error }) => {
                return { event, state, error: state === 'waiting' ? null : textOf(error), isReplay }
              }),
              backoff: retry.backoff,
            })
      await this.settle(tx, runnable, async () => {
        if (!(await claim)) throw this.positionTaken()
        await park
      })
    })
    for (const [stream, offset] of next) this.positions.set(stream, offset)
    for (const { item, state, error } of parking) this.noteParked(item, state, error)
    this.noteDelivered(runnable, startedAtMs)
  }

  /**
   * Parked events in one transaction: rows gone, effects there, the next of each key due. In halves when a handler
   * throws.
   */
  private async attemptAgain(retries: readonly Retry[]): Promise<void> {
    const startedAtMs = performance.now()
    const items = retries.map((retry) => retry.item)
    let keysLeft: ReadonlySet<string> = new Set()
    try {
      await this.options.shard.transaction(async (tx) => {
        const take = takeParked(
          tx,
          this.scope,
          retries.map((retry) => retry.due),
        )
        await this.settle(tx, items, async () => {
          const taken = await take
          if (!taken.taken) throw this.positionTaken()
          keysLeft = taken.keysLeft
        })
      })
    } catch (error) {
      const [culprit] = retries
      if (isInfrastructure(error) || culprit === undefined) throw error
      if (retries.length === 1) return this.failAgain(culprit, error, 'retrying')
      const half = retries.length >> 1
      await this.attemptAgain(retries.slice(0, half))
      return this.attemptAgain(retries.slice(half))
    }
    for (const { event } of items) {
      if (!keysLeft.has(event.envelope.key)) this.parkedKeys.delete(event.envelope.key)
    }
    this.noteDelivered(items, startedAtMs)
  }

  /**
   * Runs the handlers beside the bookkeeping and waits for both: a transaction must not end while queries are still to
   * come.
   */
  private async settle(tx: Transaction, items: readonly Item[], bookkeeping: () => Promise<void>): Promise<void> {
    const [handled, kept] = await Promise.allSettled([this.runHandlers(tx, items), bookkeeping()])
    if (kept.status === 'rejected') throw kept.reason
    if (handled.status === 'rejected') throw handled.reason
  }

  private async runHandlers(tx: Transaction, items: readonly Item[]): Promise<void> {
    // Consumers of several events that share their `apply`, as a saga's do, get them all at once.
    const deliveries = new Map<Consumer['apply'], Delivery<unknown, unknown>[]>()
    for (const item of items) {
      const { consumer, outcome, isReplay = false } = item
      const result = outcome.kind === 'ready' ? outcome.result : undefined
      const delivery = { event: envelopeFor(item), result, isReplay }
      const batch = deliveries.get(consumer.apply)
      if (batch === undefined) deliveries.set(consumer.apply, [delivery])
      else batch.push(delivery)
    }
    const context = { tx, cluster: this.options.cluster }
    for (const [apply, batch] of deliveries) await apply(batch, context)
  }

  private async failAgain({ due, item }: Failed, error: unknown, state: 'retrying' | 'dead'): Promise<void> {
    const { retry, shard } = this.options
    const attemptsMax = state === 'dead' ? 0 : retry.attemptsMax
    const failed = await failParked(shard, { due, error: textOf(error), attemptsMax, backoff: retry.backoff })
    if (failed === undefined) throw this.positionTaken()
    this.publishParked({ event: due.event, span: item?.span, ...failed, error })
  }

  private noteParked(item: Item, state: 'retrying' | 'waiting' | 'dead', error: unknown): void {
    this.parkedKeys.add(item.event.envelope.key)
    const { event, span } = item
    if (state !== 'waiting') this.publishParked({ event, span, state, attempts: 1, error })
  }

  private publishParked(failure: {
    event: DueEvent['event']
    span: ItemSpan | undefined
    state: 'retrying' | 'dead'
    attempts: number
    error: unknown
  }): void {
    const { event, span, state, attempts, error: thrown } = failure
    const error = textOf(thrown)
    const { id, key, traceparent: parent } = event.envelope
    const { group } = this.scope
    const traceparent = span?.traceparent ?? parent
    const durationMs = span === undefined ? 0 : performance.now() - span.startedAtMs
    const work = { group, topic: event.topic, id, key, traceparent, parent, durationMs }
    parked.publish({ ...work, state, attempts, error, thrown })
  }

  private noteDelivered(items: readonly Item[], startedAtMs: number): void {
    const [first] = items
    if (first === undefined || !delivered.hasSubscribers) return
    delivered.publish({
      group: this.scope.group,
      source: this.scope.source,
      target: this.options.shard.index,
      events: items.length,
      durationMs: performance.now() - startedAtMs,
      oldestAtMs: items.reduce(
        (oldest, item) => Math.min(oldest, item.event.envelope.occurredAtMs),
        Number.POSITIVE_INFINITY,
      ),
      traced: tracedOf(items),
    })
  }

  /** False when another process works for the group, or when it was replayed: see `advancePositions`. */
  private claim(target: Queryable, next: Positions): Promise<boolean> {
    return advancePositions(target, this.scope, { expected: this.positions, next, moves: this.moves })
  }

  private positionTaken() {
    const { group, source } = this.scope
    return eventsError('EVENTS_POSITION_TAKEN', `another process works for ${group} on shard ${source}`)
  }
}

type Retry = { readonly due: DueEvent; readonly item: Item }
type Failed = { readonly due: DueEvent; readonly item?: Item }
