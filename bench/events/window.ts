import { delay } from '../../src/core/index.ts'
import { spreadOf } from '../command/spread.ts'
import type { EventsArm } from './arm.ts'

export type EventsWindow = {
  readonly events: number
  /** From the first request to the last effect. */
  readonly perSecond: number
  /** From the commit of an event to the commit of its effect. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of this process per event, for producing and for handling; the arms that wait meanwhile are in it. */
  readonly cpuMicros: number
}

/** When events were committed and handled, by id: ids are dense. */
export class Clocks {
  readonly #committedAtMs: number[] = []
  readonly #handledAtMs: number[] = []
  handled = 0

  next(): number {
    return this.#committedAtMs.push(Number.NaN) - 1
  }

  noteCommitted(id: number): void {
    this.#committedAtMs[id] = performance.now()
  }

  /** A repetition, which job queues may have, counts once. */
  noteHandled(id: number): void {
    if (this.#handledAtMs[id] !== undefined) return
    this.#handledAtMs[id] = performance.now()
    this.handled += 1
  }

  /** Milliseconds of the events from `first` on. An effect may be committed before its producer hears of its commit. */
  latencies(first: number): number[] {
    return this.#committedAtMs
      .slice(first)
      .map((committedAtMs, index) => Math.max(0, (this.#handledAtMs[first + index] ?? Number.NaN) - committedAtMs))
  }

  get issued(): number {
    return this.#committedAtMs.length
  }
}

/** Requests that each wait for their commit: enough to fill shared commits and pools. */
const PRODUCERS = 64
const DRAIN_MS_MAX = 120_000
const POLL_MS = 5

/** Producers as fast as they get answers, then waits for all effects. */
export function saturate(arm: EventsArm, clocks: Clocks, seconds: number): Promise<EventsWindow> {
  return measured(arm, clocks, async () => {
    const endsAtMs = performance.now() + seconds * 1_000
    const producer = async () => {
      while (performance.now() < endsAtMs) await produce(arm, clocks)
    }
    await Promise.all(Array.from({ length: PRODUCERS }, producer))
  })
}

/** Producers at a rate, whether or not the arm keeps up, then waits for all effects. */
export function pace(
  arm: EventsArm,
  clocks: Clocks,
  { rate, seconds }: { readonly rate: number; readonly seconds: number },
): Promise<EventsWindow> {
  return measured(arm, clocks, async () => {
    const startedAtMs = performance.now()
    const under: Promise<void>[] = []
    while (under.length < rate * seconds) {
      const due = Math.floor(((performance.now() - startedAtMs) * rate) / 1_000)
      while (under.length < Math.min(due, rate * seconds)) under.push(produce(arm, clocks))
      await delay(1)
    }
    await Promise.all(under)
  })
}

async function produce(arm: EventsArm, clocks: Clocks): Promise<void> {
  const id = clocks.next()
  await arm.produce(id)
  clocks.noteCommitted(id)
}

async function measured(arm: EventsArm, clocks: Clocks, run: () => Promise<void>): Promise<EventsWindow> {
  const first = clocks.issued
  const [startedAtMs, cpuBefore] = [performance.now(), process.cpuUsage()]
  await run()
  await handledAll(arm, clocks)
  const events = clocks.issued - first
  const perSecond = (events * 1_000) / (performance.now() - startedAtMs)
  const cpu = process.cpuUsage(cpuBefore)
  const effects = await arm.effects()
  if (effects !== clocks.issued) throw new Error(`${arm.name}: ${effects} effects of ${clocks.issued} events`)
  const sorted = clocks.latencies(first).sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { events, perSecond, p50Ms: at(0.5), p99Ms: at(0.99), cpuMicros: (cpu.user + cpu.system) / events }
}

async function handledAll(arm: EventsArm, clocks: Clocks): Promise<void> {
  const givesUpAtMs = performance.now() + DRAIN_MS_MAX
  while (clocks.handled < clocks.issued) {
    if (performance.now() > givesUpAtMs) {
      throw new Error(`${arm.name}: ${clocks.issued - clocks.handled} events were not handled in ${DRAIN_MS_MAX} ms`)
    }
    await delay(POLL_MS)
  }
}

export function spreadsOf(windows: readonly EventsWindow[]) {
  return {
    perSecond: spreadOf(windows.map(({ perSecond }) => Math.round(perSecond))),
    p50Ms: spreadOf(windows.map(({ p50Ms }) => rounded(p50Ms))),
    p99Ms: spreadOf(windows.map(({ p99Ms }) => rounded(p99Ms))),
    cpuMicros: spreadOf(windows.map(({ cpuMicros }) => rounded(cpuMicros))),
  }
}

const rounded = (value: number) => Math.round(value * 10) / 10
