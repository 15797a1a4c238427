/** Colours for canvases, read from the style sheet, so that themes live in one place. */
export function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}

/** Lines that are told apart by colour, in order. Blue to orange first: they differ for colour-blind eyes as well. */
export const LINE_COLORS = ['line-1', 'line-2', 'line-3', 'line-4', 'line-5', 'line-6', 'line-7', 'line-8'] as const

export function lineColor(index: number): string {
  return LINE_COLORS[index % LINE_COLORS.length] ?? 'line-1'
}
