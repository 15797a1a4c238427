import { type ConsumerDeclaration, childTraceparent, type EventEnvelope, isSampled } from '../core/index.ts'
import { type Consumer, consumerOf } from './consumer.ts'
import type { Positions } from './engines/postgres-positions.ts'
import { eventsError } from './errors.ts'
import { checkEvent, type LoggedEvent } from './segment.ts'

/** All consumers of one service. */
export type Group = {
  readonly name: string
  /** By topic, in the order of declaration. */
  readonly consumers: ReadonlyMap<string, Consumer>
}

export type GroupDeclaration = { readonly name: string; readonly consumers: readonly ConsumerDeclaration[] }

/** Builds groups from declarations. Throws EVENTS_GROUP_INVALID. */
export function groupsOf(declarations: readonly GroupDeclaration[]): readonly Group[] {
  const names = new Set<string>()
  return declarations.map(({ name, consumers: declared }) => {
    if (names.has(name)) throw eventsError('EVENTS_GROUP_INVALID', `consumer group ${name} is declared twice`)
    names.add(name)
    const consumers = new Map<string, Consumer>()
    for (const declaration of declared) {
      const topic = declaration.event.name
      if (consumers.has(topic)) throw eventsError('EVENTS_GROUP_INVALID', `group ${name} has two consumers of ${topic}`)
      if (declaration.target === 'every-shard' && declaration.call !== undefined) {
        throw eventsError(
          'EVENTS_GROUP_INVALID',
          `group ${name}: an external call for ${topic} would be made once per shard`,
        )
      }
      consumers.set(topic, consumerOf(declaration))
    }
    return { name, consumers }
  })
}

/** What became of an event before its handler: ready, with what `call` answered, or failed. */
export type Outcome =
  | { readonly kind: 'ready'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly state: 'retrying' | 'dead'; readonly error: unknown }

/** The group's own span of an event whose trace is kept: named here, told of when the work is done. */
export type ItemSpan = { readonly traceparent: string; readonly startedAtMs: number }

/** One event on its way to one target. `outcome`, `span` and `isReplay` change while it is under way. */
export type Item = {
  readonly event: LoggedEvent
  readonly consumer: Consumer
  outcome: Outcome
  span?: ItemSpan | undefined
  /** The target has had it before. */
  isReplay?: boolean
}

const READY: Outcome = { kind: 'ready', result: undefined }

/** An event with its consumer; failed at once when the consumer cannot read it. */
export function itemOf(event: LoggedEvent, consumer: Consumer): Item {
  checkEvent(event, consumer.type)
  if (event.problem === undefined) return { event, consumer, outcome: READY }
  return { event, consumer, outcome: { kind: 'failed', state: 'dead', error: event.problem } }
}

/** Gives those of traces that are kept their span, which begins now. */
export function beginSpans(items: readonly Item[]): void {
  for (const item of items) {
    const { traceparent } = item.event.envelope
    if (isSampled(traceparent)) {
      item.span = { traceparent: childTraceparent(traceparent), startedAtMs: performance.now() }
    }
  }
}

/** The event as a handler sees it: under the span of its own group, so that what it emits descends from there. */
export function envelopeFor({ event, span }: Item): EventEnvelope {
  return span === undefined ? event.envelope : { ...event.envelope, traceparent: span.traceparent }
}

/** Splits events, which keep their order, by the shard that their effects belong to. */
export function planTargets(
  events: readonly LoggedEvent[],
  group: Group,
  shards: { readonly count: number; readonly ofBucket: (bucket: number) => number },
): Map<number, Item[]> {
  const targets = new Map<number, Item[]>()
  const add = (target: number, item: Item) => {
    const items = targets.get(target)
    if (items === undefined) targets.set(target, [item])
    else items.push(item)
  }
  for (const event of events) {
    const consumer = group.consumers.get(event.topic)
    if (consumer === undefined) continue
    if (consumer.target === 'key') add(shards.ofBucket(event.envelope.bucket), itemOf(event, consumer))
    else if (consumer.target === 'home') add(0, itemOf(event, consumer))
    else for (let target = 0; target < shards.count; target++) add(target, itemOf(event, consumer))
  }
  return targets
}

/** Whether these events of one topic are all there are from `offset` on: a position must never pass one unseen. */
export function followOn(events: readonly LoggedEvent[], offset: number): boolean {
  return events.every((event, index) => event.offset === offset + index)
}

/** The offsets after these events, by stream. */
export function endsOf(events: readonly LoggedEvent[]): Map<string, number> {
  const ends = new Map<string, number>()
  for (const event of events) ends.set(event.stream, event.offset + 1)
  return ends
}

/** How far positions may go while `rest` is still to be done: up to the first event of each stream in it. */
export function reach(ends: Positions, rest: readonly Item[]): Map<string, number> {
  const reached = new Map(ends)
  for (let index = rest.length - 1; index >= 0; index--) {
    const event = rest[index]?.event
    if (event !== undefined) reached.set(event.stream, event.offset)
  }
  return reached
}

/** Those of `ends` that differ from `positions`. */
export function changes(ends: Positions, positions: Positions): Map<string, number> {
  return new Map([...ends].filter(([stream, offset]) => positions.get(stream) !== offset))
}

export type Sorted = {
  /** Handlers may run, in this order. */
  readonly runnable: readonly Item[]
  /** To be parked, in this order: failed ones, and all that come after one of the same key. */
  readonly parking: readonly {
    readonly item: Item
    readonly state: 'retrying' | 'waiting' | 'dead'
    /** What was thrown, or a text of our own; nothing where it only waits. */
    readonly error: unknown
  }[]
}

/** Tells what may run from what must be parked, given the keys that are parked already. */
export function sortItems(items: readonly Item[], parkedKeys: ReadonlySet<string>): Sorted {
  const runnable: Item[] = []
  const parking: { item: Item; state: 'retrying' | 'waiting' | 'dead'; error: unknown }[] = []
  const failedKeys = new Set<string>()
  for (const item of items) {
    const { key } = item.event.envelope
    if (parkedKeys.has(key) || failedKeys.has(key)) {
      parking.push({ item, state: 'waiting', error: null })
    } else if (item.outcome.kind === 'failed') {
      parking.push({ item, state: item.outcome.state, error: item.outcome.error })
      failedKeys.add(key)
    } else {
      runnable.push(item)
    }
  }
  return { runnable, parking }
}
