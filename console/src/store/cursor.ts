/** The crosshair that all charts share: a moment, or none. Charts move it and follow it without React in between. */
export type CursorListener = (atMs: number | undefined, source: object | undefined) => void

const listeners = new Set<CursorListener>()
let current: number | undefined

/** `source` is the chart that moved it: it need not follow itself. */
export function moveCursor(atMs: number | undefined, source?: object): void {
  if (atMs === current) return
  current = atMs
  for (const listener of listeners) listener(atMs, source)
}

export function onCursor(listener: CursorListener): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}
