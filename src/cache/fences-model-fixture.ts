import { type Entry, entryOf } from './entry.ts'
import { Fences } from './fences.ts'

/**
 * A small world in which every order of events can be tried: one database, two processes with a first level each and a
 * second level between them. Fences and entries are the real ones, all else is as small as it can be. Process 0 writes
 * and raises its own fences; process 1 learns of what it wrote by following.
 */
export type Rules = {
  /** When a load asks how far the database is. Correct: before it reads. */
  readonly horizonAt: 'before-read' | 'at-fill'
  /** Which transaction it takes for that. Correct: the oldest under way. */
  readonly horizon: 'oldest-under-way' | 'oldest-under-way-included' | 'next'
  readonly makeFences: () => Fences
}

export const CORRECT: Rules = {
  horizonAt: 'before-read',
  horizon: 'oldest-under-way',
  makeFences: () => new Fences(),
}

export type Actor = 'writer' | 'reader-0' | 'reader-1' | 'follower'

/** Steps of each kind of actor, each of which nothing interrupts. */
export const STEPS: Readonly<Record<Actor, number>> = { writer: 3, 'reader-0': 4, 'reader-1': 4, follower: 1 }

/** Every order in which the steps of these actors can happen: which actor goes next, again and again. */
export function* ordersOf(actors: readonly Actor[]): Generator<readonly number[]> {
  const left = actors.map((actor) => STEPS[actor])
  const order: number[] = []
  function* extend(): Generator<readonly number[]> {
    if (left.every((steps) => steps === 0)) yield order
    for (const [index, steps] of left.entries()) {
      if (steps === 0) continue
      left[index] = steps - 1
      order.push(index)
      yield* extend()
      order.pop()
      left[index] = steps
    }
  }
  yield* extend()
}

/** What goes wrong in this order, if anything does: a read that shows what it must not show. */
export function violationIn(actors: readonly Actor[], order: readonly number[], rules: Rules): string | undefined {
  const world = new World(rules)
  const running = actors.map((actor) => world.start(actor))
  for (const index of order) {
    running[index]?.next()
    if (world.violation !== undefined) return world.violation
  }
  world.settle()
  return world.violation
}

type Row = { readonly xid: number; readonly version: number }
type Process = { readonly fences: Fences; memory: Entry | undefined; known: number }

const TAGS = ['price']
const INCARNATION = 'first'
const NOW_MS = 0

class World {
  violation: string | undefined
  readonly #rules: Rules
  readonly #processes: readonly [Process, Process]
  readonly #underWay = new Set<number>()
  readonly #invalidations: Row[] = []
  #shared: Entry | undefined
  #version = 0
  #lastVersion = 0
  #nextXid = 1

  constructor(rules: Rules) {
    this.#rules = rules
    const make = () => ({ fences: rules.makeFences(), memory: undefined, known: 0 })
    this.#processes = [make(), make()]
    for (const process of this.#processes) this.#follow(process)
  }

  start(actor: Actor): Generator<void, void> {
    if (actor === 'writer') return this.#write()
    if (actor === 'follower') return this.#followOnce(this.#processes[1])
    return this.#read(this.#processes[actor === 'reader-0' ? 0 : 1])
  }

  /** Once everything has happened and everybody has heard of it, what is still served must be what the database has. */
  settle(): void {
    for (const process of this.#processes) {
      this.#follow(process)
      const served = this.#valid(process, process.memory) ?? this.#valid(process, this.#shared)
      if (served !== undefined) this.#check(served.value, this.#version, 'for ever')
    }
  }

  *#write(): Generator<void, void> {
    const xid = this.#nextXid++
    this.#underWay.add(xid)
    yield
    const version = ++this.#lastVersion
    this.#version = version
    this.#underWay.delete(xid)
    this.#invalidations.push({ xid, version })
    yield
    const [process] = this.#processes
    process.fences.raise(0, TAGS, xid)
    process.known = Math.max(process.known, version)
  }

  *#followOnce(process: Process): Generator<void, void> {
    this.#follow(process)
    yield
  }

  /** Shows at least what its process had been told of when it began. */
  *#read(process: Process): Generator<void, void> {
    const atLeast = process.known
    const hit = this.#valid(process, process.memory)
    if (hit !== undefined) return this.#check(hit.value, atLeast, 'from memory')
    const shared = this.#shared
    yield
    const copied = this.#valid(process, shared)
    if (copied !== undefined) {
      process.memory = copied
      return this.#check(copied.value, atLeast, 'from the second level')
    }
    const before = this.#horizon()
    yield
    const value = this.#version
    yield
    const asOf = this.#rules.horizonAt === 'before-read' ? before : this.#horizon()
    const horizons = [{ shard: 0, incarnation: INCARNATION, asOf }]
    process.memory = entryOf(value, { tags: TAGS, horizons })
    this.#shared = process.memory
    this.#check(value, atLeast, 'from the database')
  }

  #valid(process: Process, entry: Entry | undefined): Entry | undefined {
    return entry !== undefined && process.fences.verdict(entry, NOW_MS) === 'valid' ? entry : undefined
  }

  #follow(process: Process): void {
    process.fences.hear({
      shard: 0,
      incarnation: INCARNATION,
      watermark: Math.min(this.#nextXid, ...this.#underWay),
      floor: 0,
      fences: this.#invalidations.map(({ xid }) => ['price', xid]),
      askedAtMs: NOW_MS,
    })
    process.known = this.#version
  }

  #horizon(): number {
    if (this.#rules.horizon === 'next') return this.#nextXid
    const oldest = Math.min(this.#nextXid, ...this.#underWay)
    return this.#rules.horizon === 'oldest-under-way' ? oldest : oldest + 1
  }

  #check(value: unknown, atLeast: number, where: string): void {
    if (Number(value) < atLeast) this.violation ??= `version ${value} ${where}, where ${atLeast} had been told of`
  }
}
