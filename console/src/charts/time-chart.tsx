import { type ReactNode, useEffect, useRef, useState } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { clockTime, UNKNOWN } from '../format.ts'
import { useTheme } from '../shell/theme.ts'
import { moveCursor, onCursor } from '../store/cursor.ts'
import { chartData } from '../store/figures.ts'
import { currentLive, setTimeView, useLive } from '../store/live.ts'
import { type Line, type Marker, plotOptions } from './plot-options.ts'

export type TimeChartProps = {
  /** What the chart shows, for those who do not see it. */
  readonly label: string
  readonly lines: readonly Line[]
  readonly format: (value: number) => string
  readonly height?: number
  readonly topMin?: number
  /** Shown in place of lines while there is nothing to draw. */
  readonly empty?: ReactNode
}

/** Lines over time. Crosshair and zoom are shared by all charts; the legend shows the values under the crosshair. */
export function TimeChart({ label, lines, format, height = 200, topMin = 1, empty }: TimeChartProps) {
  const live = useLive()
  const theme = useTheme()
  const host = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(null)
  const [isEmpty, setEmpty] = useState(false)
  const key = lines.map((line) => `${line.name}:${line.color}`).join()

  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` stands for the lines, `theme` for their colours
  useEffect(() => {
    if (host.current === null) return
    const made = createPlot(host.current, { lines, format, height, topMin })
    plot.current = made.plot
    return () => {
      made.destroy()
      plot.current = null
    }
  }, [key, theme.shown, height, topMin])

  useEffect(() => {
    if (plot.current === null) return
    const data = chartData(live.series, key === '' ? [] : lines.map((line) => line.name), live.range)
    setEmpty(data.slice(1).every((column) => column.every((value) => value === null)))
    show(plot.current, data as unknown as uPlot.AlignedData)
  })

  return (
    <div className="chart">
      <Legend lines={lines} format={format} />
      <div className="chart-host" ref={host} role="img" aria-label={label} style={{ height }} />
      {isEmpty && <p className="chart-empty">{empty ?? 'Nothing in this time.'}</p>}
    </div>
  )
}

type Made = { readonly plot: uPlot; readonly destroy: () => void }
type Drawn = Pick<TimeChartProps, 'lines' | 'format'> & { readonly height: number; readonly topMin: number }

function createPlot(host: HTMLDivElement, { lines, format, height, topMin }: Drawn): Made {
  const options = plotOptions(
    {
      lines,
      format,
      topMin,
      range: () => currentLive().range,
      markers: alertMarkers,
      onZoom: (range) => setTimeView({ kind: 'fixed', range }),
    },
    host.clientWidth || 300,
    height,
  )
  const data = chartData(
    currentLive().series,
    lines.map((line) => line.name),
    currentLive().range,
  )
  const plot = new uPlot(options, data as unknown as uPlot.AlignedData, host)
  const resized = new ResizeObserver(() => {
    if (host.clientWidth > 0) plot.setSize({ width: host.clientWidth, height })
  })
  resized.observe(host)
  plot.over.addEventListener('dblclick', () => setTimeView({ kind: 'live', spanMs: 1_800_000 }))
  plot.over.addEventListener('mousemove', ({ offsetX }) => moveCursor(plot.posToVal(offsetX, 'x'), plot))
  plot.over.addEventListener('mouseleave', () => moveCursor(undefined, plot))
  const release = onCursor((atMs, source) => {
    if (source !== plot) placeCursor(plot, atMs)
  })
  return {
    plot,
    destroy() {
      release()
      resized.disconnect()
      plot.destroy()
    },
  }
}

function show(plot: uPlot, data: uPlot.AlignedData): void {
  const { fromMs, toMs } = currentLive().range
  plot.setData(data, false)
  plot.setScale('x', { min: fromMs, max: toMs })
}

function placeCursor(plot: uPlot, atMs: number | undefined): void {
  const left = atMs === undefined ? -10 : plot.valToPos(atMs, 'x')
  plot.setCursor({ left, top: atMs === undefined ? -10 : 1 }, false)
}

function alertMarkers(): readonly Marker[] {
  const alerts = currentLive().state?.alerts ?? []
  return alerts.map(({ sinceMs, message }) => ({ atMs: sinceMs, label: message }))
}

/** What the lines are, with their values: under the crosshair, or the newest. */
function Legend({ lines, format }: Pick<TimeChartProps, 'lines' | 'format'>) {
  const { series, range } = useLive()
  const atMs = useCursor()
  const index = series.indexAfter(atMs === undefined ? range.toMs : atMs) - (atMs === undefined ? 1 : 0)
  return (
    <ul className="legend">
      {lines.map((line) => {
        const value = valueNear(series.column(line.name), index, atMs === undefined ? NEAR : 0)
        return (
          <li key={line.name}>
            <i className={`swatch ${line.color}`} />
            {line.label} <b>{value === undefined ? UNKNOWN : format(value)}</b>
          </li>
        )
      })}
      {atMs !== undefined && <li className="legend-time">{clockTime(atMs)}</li>}
    </ul>
  )
}

/** How many samples back the newest value may be and still be called that. */
const NEAR = 10

function valueNear(column: readonly number[], index: number, back: number): number | undefined {
  for (let at = index; at >= Math.max(0, index - back); at--) {
    const value = column[at] ?? Number.NaN
    if (!Number.isNaN(value)) return value
  }
  return undefined
}

function useCursor(): number | undefined {
  const [atMs, setAtMs] = useState<number>()
  useEffect(() => onCursor(setAtMs), [])
  return atMs
}
