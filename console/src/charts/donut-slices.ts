export type Share = { readonly label: string; readonly value: number; readonly detail: string }

/** A share with its place on the ring: both angles in turns from the top, clockwise. */
export type Slice = Share & {
  readonly share: number
  readonly from: number
  readonly to: number
  /** A colour of the style sheet. */
  readonly color: string
}

const OTHERS = ['slice-2', 'slice-3', 'slice-4', 'slice-5'] as const

/** Largest first and in red; the others fade. Shares of nothing have no slice. */
export function slicesOf(shares: readonly Share[]): readonly Slice[] {
  const shown = shares.filter(({ value }) => value > 0).sort((one, other) => other.value - one.value)
  const total = shown.reduce((sum, { value }) => sum + value, 0)
  let from = 0
  return shown.map((share, index) => {
    const part = share.value / total
    const slice = { ...share, share: part, from, to: from + part, color: colorOf(index) }
    from += part
    return slice
  })
}

function colorOf(index: number): string {
  return index === 0 ? 'red' : (OTHERS[Math.min(index, OTHERS.length) - 1] ?? 'slice-5')
}

const CENTRE = 60
const OUTER = 54
const INNER = 40
/** A whole turn has no two ends that an arc could join. */
const WHOLE = 0.9999

/** The outline of a slice as an SVG path in a square of 120. */
export function arcPath({ from, to }: Pick<Slice, 'from' | 'to'>): string {
  const end = Math.min(to, from + WHOLE)
  const large = end - from > 0.5 ? 1 : 0
  const [a, b, c, d] = [point(OUTER, from), point(OUTER, end), point(INNER, end), point(INNER, from)]
  return `M${a}A${OUTER} ${OUTER} 0 ${large} 1 ${b}L${c}A${INNER} ${INNER} 0 ${large} 0 ${d}Z`
}

function point(radius: number, turn: number): string {
  const angle = (turn - 0.25) * 2 * Math.PI
  return `${(CENTRE + radius * Math.cos(angle)).toFixed(2)} ${(CENTRE + radius * Math.sin(angle)).toFixed(2)}`
}
