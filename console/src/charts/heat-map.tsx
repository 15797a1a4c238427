import { useEffect, useRef } from 'react'
import { clockTime, percent, text } from '../format.ts'
import { useTheme } from '../shell/theme.ts'
import { moveCursor, onCursor } from '../store/cursor.ts'
import { lastValue, type TimeRange } from '../store/figures.ts'
import { useLive } from '../store/live.ts'
import type { SeriesStore } from '../store/series.ts'
import { color } from './colors.ts'
import { cellWidth, HOT_PERCENT, heatCells } from './heat-cells.ts'

export type HeatRow = { readonly id: string; readonly label: string; readonly detail: string; readonly name: string }

/** So few rows are drawn taller: one process is a band, not a thread. */
const ROOMY_ROWS_MAX = 3

/** Rows of cells over time: the fuller, the deeper, and glowing orange above HOT_PERCENT. */
export function HeatMap({ label, rows }: { readonly label: string; readonly rows: readonly HeatRow[] }) {
  return (
    <div className={rows.length <= ROOMY_ROWS_MAX ? 'heat roomy' : 'heat'}>
      <ul aria-label={label}>
        {rows.map((row) => (
          <HeatStrip key={row.id} row={row} />
        ))}
      </ul>
      <div className="heat-foot">
        <HeatTimes />
        <HeatScale />
      </div>
    </div>
  )
}

function HeatStrip({ row }: { readonly row: HeatRow }) {
  const { series, range } = useLive()
  const theme = useTheme()
  const canvas = useRef<HTMLCanvasElement>(null)
  const line = useRef<HTMLElement>(null)
  const now = lastValue(series, row.name, range)
  const isHot = now !== undefined && now > HOT_PERCENT

  // biome-ignore lint/correctness/useExhaustiveDependencies: `theme` stands for the colours
  useEffect(() => {
    if (canvas.current !== null) draw(canvas.current, { series, name: row.name, range })
  }, [series, row.name, range, theme.shown])

  useEffect(
    () =>
      onCursor((atMs) => {
        if (line.current === null) return
        const share = atMs === undefined ? -1 : (atMs - range.fromMs) / (range.toMs - range.fromMs)
        line.current.style.display = share >= 0 && share <= 1 ? 'block' : 'none'
        line.current.style.left = `${share * 100}%`
      }),
    [range],
  )

  return (
    <li className="heat-row">
      <span className="heat-label" title={`${row.label} · ${row.detail}`}>
        <b>{row.label}</b>
        <small>{row.detail}</small>
      </span>
      <span
        className="heat-strip"
        onPointerMove={(event) => {
          const { left, width } = event.currentTarget.getBoundingClientRect()
          moveCursor(range.fromMs + ((event.clientX - left) / width) * (range.toMs - range.fromMs))
        }}
        onPointerLeave={() => moveCursor(undefined)}
      >
        <canvas ref={canvas} />
        <i ref={line} className="heat-cursor" />
      </span>
      <b className={isHot ? 'heat-value hot' : 'heat-value'}>{text(percent(now))}</b>
    </li>
  )
}

function HeatTimes() {
  const { range } = useLive()
  const marks = [0, 1 / 3, 2 / 3, 1].map((share) => range.fromMs + share * (range.toMs - range.fromMs))
  return (
    <span className="heat-times" aria-hidden="true">
      {marks.map((atMs, index) => (
        <span key={MARKS[index]}>{clockTime(atMs).slice(0, 5)}</span>
      ))}
    </span>
  )
}

const MARKS = ['first', 'second', 'third', 'last'] as const

function HeatScale() {
  return (
    <span className="heat-scale">
      0 <i className="heat-ramp" /> {HOT_PERCENT} <i className="heat-hot" /> 100 %
    </span>
  )
}

type Strip = { readonly series: SeriesStore; readonly name: string; readonly range: TimeRange }

/** Width that a cell should have at least, in pixels. */
const CELL_PIXELS_MIN = 5

function draw(canvas: HTMLCanvasElement, { series, name, range }: Strip): void {
  const { clientWidth, clientHeight } = canvas
  const scale = devicePixelRatio
  canvas.width = Math.round(clientWidth * scale)
  canvas.height = Math.round(clientHeight * scale)
  const context = canvas.getContext('2d')
  if (context === null || clientWidth === 0) return
  context.scale(scale, scale)
  const widthMs = cellWidth(range, clientWidth / CELL_PIXELS_MIN)
  const cells = heatCells(series, name, range, { widthMs })
  const left = (atMs: number) => ((atMs - range.fromMs) / (range.toMs - range.fromMs)) * clientWidth
  const paint = { cold: color('heat-cold'), full: color('heat-full'), hot: color('orange') }
  // The hot ones last, since their glow reaches over their neighbours.
  for (const { fromMs, value } of [...cells].sort((one, other) => one.value - other.value)) {
    const isHot = value > HOT_PERCENT
    const share = Math.round(Math.min(1, value / HOT_PERCENT) * 100)
    context.fillStyle = isHot ? paint.hot : `color-mix(in oklab, ${paint.full} ${share}%, ${paint.cold})`
    context.shadowColor = isHot ? paint.hot : 'transparent'
    context.shadowBlur = isHot ? 10 * scale : 0
    context.fillRect(left(fromMs), 3, Math.max(1, left(fromMs + widthMs) - left(fromMs) - 1), clientHeight - 6)
  }
}
