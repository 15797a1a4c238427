import uPlot from 'uplot'
import { clockTime } from '../format.ts'
import type { TimeRange } from '../store/figures.ts'
import { color } from './colors.ts'

/** One line of a chart. `name` is the column it draws. */
export type Line = {
  readonly name: string
  readonly label: string
  /** A colour of the style sheet, without its dashes. */
  readonly color: string
  readonly width?: number
  /** Fills below the line, faintly. */
  readonly isFilled?: boolean
}

export type Marker = { readonly atMs: number; readonly label: string }

export type PlotParts = {
  readonly lines: readonly Line[]
  readonly format: (value: number) => string
  readonly range: () => TimeRange
  readonly markers: () => readonly Marker[]
  /** The value that the top of the axis shows at least, so that noise around nothing looks like nothing. */
  readonly topMin: number
  readonly onZoom: (range: TimeRange) => void
}

export function plotOptions(parts: PlotParts, width: number, height: number): uPlot.Options {
  const axis = { stroke: color('muted'), font: AXIS_FONT, ticks: { show: false } }
  return {
    width,
    height,
    ms: 1,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: {
      drag: { x: true, y: false, setScale: false },
      y: false,
      points: { size: 7, width: 1.5, fill: () => color('panel') },
    },
    scales: {
      x: { time: true, range: () => [parts.range().fromMs, parts.range().toMs] },
      y: { range: (_plot, _min, max) => [0, niceTop(Math.max(max ?? 0, parts.topMin))] },
    },
    axes: [
      { ...axis, size: 24, space: 72, grid: { show: false }, values: (_plot, ticks) => ticks.map(tickTime) },
      {
        ...axis,
        size: 52,
        space: 34,
        gap: 6,
        grid: { stroke: color('grid'), width: 1 },
        values: (_plot, ticks) => ticks.map((tick) => (tick === 0 ? '0' : parts.format(tick))),
      },
    ],
    series: [{}, ...parts.lines.map(seriesOf)],
    hooks: {
      draw: [(plot) => drawMarkers(plot, parts.markers())],
      setSelect: [(plot) => zoomToSelection(plot, parts.onZoom)],
    },
  }
}

const AXIS_FONT = '11px "Inter Variable", system-ui, sans-serif'

/** Selections below this are a click with an unsteady hand, in pixels. */
const ZOOM_PIXELS_MIN = 6

function seriesOf(line: Line): uPlot.Series {
  const stroke = color(line.color)
  return {
    label: line.label,
    stroke,
    width: line.width ?? 1.5,
    ...(line.isFilled === true ? { fill: `color-mix(in srgb, ${stroke} 9%, transparent)` } : {}),
    // A line needs two points. One that stands alone between gaps would not be seen.
    points: { show: true, size: 4, fill: stroke, filter: lonePoints },
  }
}

function lonePoints(plot: uPlot, seriesIndex: number): number[] {
  const values = plot.data[seriesIndex]
  const lone: number[] = []
  values?.forEach((value, index) => {
    if (value != null && values[index - 1] == null && values[index + 1] == null) lone.push(index)
  })
  return lone
}

/** Hours are told by the minute as well: the charts show half an hour. */
function tickTime(atMs: number): string {
  return atMs % 60_000 === 0 ? clockTime(atMs).slice(0, 5) : clockTime(atMs)
}

/** The next of 1, 1.5, 2, 3, 5, 7.5 times a power of ten: the axis changes seldom, and by steps. */
export function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  const step = [1, 1.5, 2, 3, 5, 7.5, 10].find((factor) => value * 1.05 <= factor * power)
  return (step ?? 15) * power
}

function drawMarkers(plot: uPlot, markers: readonly Marker[]): void {
  const { ctx, bbox } = plot
  const scale = uPlot.pxRatio
  ctx.save()
  ctx.strokeStyle = color('red')
  ctx.fillStyle = color('red')
  ctx.lineWidth = scale
  ctx.setLineDash([3 * scale, 3 * scale])
  for (const { atMs } of markers) {
    const left = Math.round(plot.valToPos(atMs, 'x', true))
    if (left < bbox.left || left > bbox.left + bbox.width) continue
    ctx.beginPath()
    ctx.moveTo(left, bbox.top)
    ctx.lineTo(left, bbox.top + bbox.height)
    ctx.stroke()
    ctx.fillRect(left - 2 * scale, bbox.top, 5 * scale, 4 * scale)
  }
  ctx.restore()
}

function zoomToSelection(plot: uPlot, onZoom: (range: TimeRange) => void): void {
  const { left, width } = plot.select
  if (width < ZOOM_PIXELS_MIN) return
  const range = { fromMs: plot.posToVal(left, 'x'), toMs: plot.posToVal(left + width, 'x') }
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
  onZoom(range)
}
