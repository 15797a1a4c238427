import type { TimeRange } from './figures.ts'

/** What the time axes show: the last `spanMs`, moving, or a range that stands still. */
export type TimeView =
  | { readonly kind: 'live'; readonly spanMs: number }
  | { readonly kind: 'fixed'; readonly range: TimeRange }

export const SPAN_DEFAULT_MS = 1_800_000
export const SPANS: readonly { readonly label: string; readonly spanMs: number }[] = [
  { label: '5 min', spanMs: 300_000 },
  { label: '15 min', spanMs: 900_000 },
  { label: '30 min', spanMs: SPAN_DEFAULT_MS },
]

export function rangeOf(view: TimeView, nowMs: number): TimeRange {
  return view.kind === 'fixed' ? view.range : { fromMs: nowMs - view.spanMs, toMs: nowMs }
}

/** From the parameters of an address; what makes no sense counts as absent. */
export function parseTimeView({ from, to, span }: Readonly<Record<string, string>>): TimeView {
  const fromMs = Number(from)
  const toMs = Number(to)
  if (from !== undefined && to !== undefined && fromMs > 0 && toMs > fromMs) {
    return { kind: 'fixed', range: { fromMs, toMs } }
  }
  const known = SPANS.find(({ spanMs }) => spanMs === Number(span))
  return { kind: 'live', spanMs: known?.spanMs ?? SPAN_DEFAULT_MS }
}

/** The parameters of an address for it; empty ones are left out there. */
export function timeViewParameters(view: TimeView): Readonly<Record<'from' | 'to' | 'span', string>> {
  if (view.kind === 'fixed') {
    return { from: String(Math.round(view.range.fromMs)), to: String(Math.round(view.range.toMs)), span: '' }
  }
  return { from: '', to: '', span: view.spanMs === SPAN_DEFAULT_MS ? '' : String(view.spanMs) }
}
