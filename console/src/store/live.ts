import { useSyncExternalStore } from 'react'
import type { ConsoleState, Topology } from '../../../src/console/index.ts'
import type { Frame } from '../../../src/telemetry/index.ts'
import { readJson } from './api.ts'
import type { TimeRange } from './figures.ts'
import { address, onAddress, setParameters } from './router.ts'
import { SeriesStore } from './series.ts'
import { parseTimeView, rangeOf, SPAN_DEFAULT_MS, type TimeView, timeViewParameters } from './time-view.ts'

export type Connection = 'connecting' | 'live' | 'lost'

/** All that is on screen, but for what a view fetches itself. A new object after each change. */
export type Live = {
  readonly connection: Connection
  readonly series: SeriesStore
  readonly state: ConsoleState | undefined
  readonly topology: Topology | undefined
  readonly timeView: TimeView
  /** What the time axes show now. */
  readonly range: TimeRange
}

/** The charts' half hour and some more, so that a pause does not lose its beginning at once. */
const RETENTION_MS = SPAN_DEFAULT_MS + 900_000

const series = new SeriesStore(Math.max(RETENTION_MS, ageOfAddress()))
const listeners = new Set<() => void>()
let live: Live = withRange({
  connection: 'connecting',
  series,
  state: undefined,
  topology: undefined,
  timeView: parseTimeView(address().parameters),
})
let isAnnouncing = false

export function useLive(): Live {
  return useSyncExternalStore(subscribe, () => live)
}

export function currentLive(): Live {
  return live
}

export function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** Reads what was, then follows what is. The browser connects again by itself, and is sent what it missed. */
export async function connect(): Promise<void> {
  onAddress(() => change({ timeView: parseTimeView(address().parameters) }))
  document.addEventListener('visibilitychange', announce)
  void readJson<Topology>('/api/topology').then((topology) => change({ topology }), lose)
  const { frames } = await readJson<{ frames: readonly Frame[] }>(historyPath()).catch(() => ({ frames: [] }))
  for (const frame of frames) series.append(frame)
  change({})
  const source = new EventSource(`/api/stream?since=${series.times.at(-1) ?? 0}`)
  source.addEventListener('frame', ({ data }) => {
    if (series.append(JSON.parse(data) as Frame)) change({ connection: 'live' })
  })
  source.addEventListener('state', ({ data }) =>
    change({ connection: 'live', state: JSON.parse(data) as ConsoleState }),
  )
  source.addEventListener('error', lose)
}

export function setTimeView(timeView: TimeView): void {
  setParameters(timeViewParameters(timeView))
}

/** Holds the charts still, or lets them move again. */
export function togglePause(): void {
  const isLive = live.timeView.kind === 'live'
  setTimeView(isLive ? { kind: 'fixed', range: live.range } : { kind: 'live', spanMs: SPAN_DEFAULT_MS })
}

function lose(): void {
  change({ connection: 'lost' })
}

function change(changes: Partial<Omit<Live, 'range'>>): void {
  live = withRange({ ...live, ...changes })
  announce()
}

/** Once a frame of the screen at most, and not at all while nobody looks. */
function announce(): void {
  if (isAnnouncing || document.hidden) return
  isAnnouncing = true
  requestAnimationFrame(() => {
    isAnnouncing = false
    for (const listener of listeners) listener()
  })
}

/** Time is the server's: the newest frame is now. */
function withRange(parts: Omit<Live, 'range'>): Live {
  return { ...parts, range: rangeOf(parts.timeView, parts.series.times.at(-1) ?? 0) }
}

/** An address that shows a range from longer ago needs the history since then. */
function historyPath(): string {
  const view = parseTimeView(address().parameters)
  return view.kind === 'fixed' ? `/api/frames?since=${Math.floor(view.range.fromMs)}` : '/api/frames'
}

function ageOfAddress(): number {
  const view = parseTimeView(address().parameters)
  return view.kind === 'fixed' ? performance.timeOrigin - view.range.fromMs + RETENTION_MS : 0
}
