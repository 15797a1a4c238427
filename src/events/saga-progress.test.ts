import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  advance,
  beginning,
  type Consequence,
  type JournalEntry,
  type PlannedAction,
  progressOf,
  type SagaPlan,
  type SagaProgress,
} from './saga-progress.ts'

const action: PlannedAction = { after: [], isUndone: true, confirmsUndo: false }
const ORDER: SagaPlan = new Map([
  ['payment', { ...action, confirmsUndo: true }],
  ['stock', action],
  ['shipment', { ...action, after: ['payment', 'stock'], isUndone: false }],
])

/** What follows from each entry, as `kind action`. */
function follow(plan: SagaPlan, entries: readonly (readonly [string, JournalEntry[1]])[]) {
  let { progress, consequences } = beginning(plan)
  const told: string[][] = [consequences.map(tell)]
  for (const [name, outcome] of entries) {
    ;({ progress, consequences } = advance(plan, progress, [name, outcome, 0]))
    told.push(consequences.map(tell).filter((line) => !line.startsWith('settled')))
  }
  return { progress, told }
}

function tell(consequence: Consequence): string {
  return 'action' in consequence ? `${consequence.kind} ${consequence.action}` : consequence.kind
}

test('actions that wait for no other are asked for side by side, later ones when all before them are done', () => {
  const { progress, told } = follow(ORDER, [
    ['stock', 'done'],
    ['payment', 'done'],
    ['shipment', 'done'],
  ])
  assert.deepEqual(told, [['request payment', 'request stock'], [], ['request shipment'], ['completed']])
  assert.equal(progress.status, 'completed')
})

test('a failure undoes what is done in reverse order, and skips what was not asked for', () => {
  const chain: SagaPlan = new Map([
    ['flight', action],
    ['hotel', { ...action, after: ['flight'] }],
    ['car', { ...action, after: ['hotel'] }],
    ['mail', { ...action, after: ['car'] }],
  ])
  const { progress, told } = follow(chain, [
    ['flight', 'done'],
    ['hotel', 'done'],
    ['car', 'failed'],
  ])
  assert.deepEqual(told.at(-1), ['failed car', 'undo hotel', 'undo flight'])
  assert.deepEqual(Object.fromEntries(progress.actions), {
    flight: 'undone',
    hotel: 'undone',
    car: 'failed',
    mail: 'skipped',
  })
  assert.deepEqual([progress.status, progress.failure], ['failed', { action: 'car', outcome: 'failed' }])
})

test('C3 21: what is done after the saga failed is undone once, however often it is told', () => {
  const { progress, told } = follow(ORDER, [
    ['payment', 'late'],
    ['stock', 'done'],
    ['payment', 'done'],
    ['payment', 'done'],
    ['payment', 'undone'],
    ['payment', 'done'],
  ])
  assert.deepEqual(told, [
    ['request payment', 'request stock'],
    ['failed payment'],
    ['undo stock'],
    ['undo payment'],
    [],
    [],
    [],
  ])
  assert.equal(progress.status, 'failed')
})

test('a saga compensates until every undo that is answered has been', () => {
  const until = (...entries: [string, JournalEntry[1]][]) => follow(ORDER, entries).progress.status
  assert.equal(until(['payment', 'done'], ['stock', 'failed']), 'compensating')
  assert.equal(until(['payment', 'done'], ['stock', 'failed'], ['payment', 'undone']), 'failed')
})

test('entries for what nobody asked, of nobody, or after the end change nothing', () => {
  const journal: JournalEntry[] = [
    ['shipment', 'done', 0],
    ['nobody', 'done', 0],
    ['payment', 'undone', 0],
  ]
  assert.deepEqual(progressOf(ORDER, journal), beginning(ORDER).progress)
  const all: JournalEntry[] = ['payment', 'stock', 'shipment'].map((name) => [name, 'done', 0])
  const ended = progressOf(ORDER, all)
  assert.deepEqual(progressOf(ORDER, [...all, ['payment', 'failed', 0], ['payment', 'late', 0]]), ended)
})

test('whatever the order of answers, deadlines, repetitions and crashes: money is taken if and only if it is shipped', (t) => {
  const seed = Date.now() % 1_000_000
  t.diagnostic(`seed ${seed}`)
  const ends = new Map<string, number>()
  for (let run = 0; run < 5_000; run++) {
    const shop = new Shop(randomFrom(seed + run))
    shop.runToTheEnd()
    shop.check(`seed ${seed + run}`)
    ends.set(shop.progress.status, (ends.get(shop.progress.status) ?? 0) + 1)
  }
  assert.ok((ends.get('completed') ?? 0) > 500 && (ends.get('failed') ?? 0) > 500, JSON.stringify([...ends]))
})

type Post = {
  readonly to: 'saga' | 'participant'
  readonly name: string
  readonly what: JournalEntry[1] | 'request' | 'undo'
}

/**
 * An order with its participants, whose messages arrive in any order, sometimes twice, and sometimes to a process that
 * dies before it commits. Each participant is idempotent, as participants are told to be, and books what it did.
 */
class Shop {
  readonly random: () => number
  progress: SagaProgress
  readonly sent = new Map<string, number>()
  readonly books = new Map<string, { taken: number; givenBack: number }>()
  private readonly mail: Post[] = []

  constructor(random: () => number) {
    this.random = random
    const begun = beginning(ORDER)
    this.progress = begun.progress
    this.send(begun.consequences)
  }

  runToTheEnd(): void {
    for (let steps = 0; this.mail.length > 0; steps++) {
      assert.ok(steps < 1_000, 'it never ends')
      const index = Math.floor(this.random() * this.mail.length)
      const [post] = this.mail.splice(index, 1)
      if (post === undefined) return
      // Killed before the commit: nothing is noted, nothing is sent, and the message comes again.
      if (this.random() < 0.1) this.mail.push(post)
      else if (post.to === 'saga') this.hear(post)
      else this.act(post)
    }
  }

  check(seed: string): void {
    const { status } = this.progress
    assert.ok(status === 'completed' || status === 'failed', `${seed}: ended in ${status}`)
    const keeps = (name: string) => {
      const book = this.books.get(name)
      return (book?.taken ?? 0) - (book?.givenBack ?? 0)
    }
    const isShipped = keeps('shipment') === 1
    assert.equal(isShipped, status === 'completed', seed)
    for (const name of ['payment', 'stock']) {
      assert.equal(keeps(name), isShipped ? 1 : 0, `${seed}: ${name} is kept ${keeps(name)} times, ${status}`)
      assert.ok((this.books.get(name)?.givenBack ?? 0) <= 1, `${seed}: ${name} is given back twice`)
    }
    for (const [message, count] of this.sent) assert.equal(count, 1, `${seed}: ${message} is sent ${count} times`)
  }

  private hear({ name, what }: Post): void {
    if (this.random() < 0.1) this.mail.push({ to: 'saga', name, what })
    const { progress, consequences } = advance(ORDER, this.progress, [name, what as JournalEntry[1], 0])
    this.progress = progress
    this.send(consequences)
  }

  private send(consequences: readonly Consequence[]): void {
    for (const consequence of consequences) {
      if (consequence.kind === 'settled') continue
      const message = tell(consequence)
      this.sent.set(message, (this.sent.get(message) ?? 0) + 1)
      if (consequence.kind !== 'request' && consequence.kind !== 'undo') continue
      this.mail.push({ to: 'participant', name: consequence.action, what: consequence.kind })
      const hasDeadline = consequence.kind === 'request' && consequence.action !== 'shipment'
      if (hasDeadline && this.random() < 0.3) this.mail.push({ to: 'saga', name: consequence.action, what: 'late' })
    }
  }

  /** The event of an action is applied once, by the participant's inbox: a repetition only answers again. */
  private act({ name, what }: Post): void {
    const book = this.books.get(name) ?? { taken: 0, givenBack: 0 }
    this.books.set(name, book)
    if (what === 'undo') {
      assert.equal(book.taken, 1, `${name} is undone, and was never done`)
      book.givenBack++
      if (ORDER.get(name)?.confirmsUndo) this.mail.push({ to: 'saga', name, what: 'undone' })
      return
    }
    const fails = name !== 'shipment' && this.random() < 0.2
    if (!fails) book.taken++
    this.mail.push({ to: 'saga', name, what: fails ? 'failed' : 'done' })
  }
}

function randomFrom(seed: number): () => number {
  let state = seed + 1
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
