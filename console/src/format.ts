/** Figures as people read them: three digits that matter, the unit apart, nothing that flickers in width. */

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

export type Quantity = { readonly value: string; readonly unit: string }

export const UNKNOWN = '–'

export function duration(ms: number | undefined): Quantity {
  if (ms === undefined || Number.isNaN(ms)) return { value: UNKNOWN, unit: '' }
  if (ms < 1000) return { value: digits(ms), unit: 'ms' }
  if (ms < 60_000) return { value: digits(ms / 1000), unit: 's' }
  if (ms < 3_600_000) return { value: digits(ms / 60_000), unit: 'min' }
  return { value: digits(ms / 3_600_000), unit: 'h' }
}

export function seconds(value: number | undefined): Quantity {
  if (value === undefined || Number.isNaN(value)) return { value: UNKNOWN, unit: '' }
  return value < 60 ? { value: digits(value), unit: 's' } : duration(value * 1000)
}

export function count(value: number | undefined): Quantity {
  if (value === undefined || Number.isNaN(value)) return { value: UNKNOWN, unit: '' }
  if (Math.abs(value) < 100_000) return { value: WHOLE.format(value), unit: '' }
  if (Math.abs(value) < 1e6) return { value: digits(value / 1e3), unit: 'k' }
  return { value: digits(value / 1e6), unit: 'M' }
}

export function rate(value: number | undefined): Quantity {
  if (value === undefined || Number.isNaN(value)) return { value: UNKNOWN, unit: '' }
  return { value: value > 0 && value < 100 ? digits(value) : WHOLE.format(value), unit: '/s' }
}

export function percent(value: number | undefined): Quantity {
  if (value === undefined || Number.isNaN(value)) return { value: UNKNOWN, unit: '' }
  return { value: value > 0 && value < 10 ? digits(value) : WHOLE.format(value), unit: '%' }
}

export function bytes(value: number | undefined): Quantity {
  if (value === undefined || Number.isNaN(value)) return { value: UNKNOWN, unit: '' }
  if (value < 1024) return { value: WHOLE.format(value), unit: 'B' }
  if (value < 1024 ** 2) return { value: digits(value / 1024), unit: 'KiB' }
  if (value < 1024 ** 3) return { value: digits(value / 1024 ** 2), unit: 'MiB' }
  return { value: digits(value / 1024 ** 3), unit: 'GiB' }
}

export function text({ value, unit }: Quantity): string {
  if (unit === '' || unit === '/s' || unit === '%' || unit === 'k' || unit === 'M') return `${value}${unit}`
  return `${value}\u202f${unit}`
}

const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' })

export function clockTime(atMs: number): string {
  return CLOCK.format(atMs)
}

export function dayTime(atMs: number): string {
  return DAY.format(atMs)
}

/** How long ago, in one unit: `4 min ago`. */
export function ago(atMs: number, nowMs: number): string {
  const elapsedMs = Math.max(0, nowMs - atMs)
  if (elapsedMs < 1500) return 'now'
  if (elapsedMs < 60_000) return `${Math.round(elapsedMs / 1000)} s ago`
  if (elapsedMs < 3_600_000) return `${Math.round(elapsedMs / 60_000)} min ago`
  return elapsedMs < 86_400_000 ? `${Math.round(elapsedMs / 3_600_000)} h ago` : dayTime(atMs)
}

/** One or two decimals below a hundred, none above. */
function digits(value: number): string {
  if (value === 0) return '0'
  if (value < 10) return value.toFixed(value < 1 ? 2 : 1)
  return WHOLE.format(value)
}

/** An instance's host and process id, without the random part that tells its starts apart. */
export function shortInstance(instance: string): string {
  return /^(.+:\d+):[^:]+$/.exec(instance)?.[1] ?? instance
}
