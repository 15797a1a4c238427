import type { KeyboardEvent } from 'react'

/** Arrow keys move the focus between the links or buttons of a list's rows. */
export function moveFocus(event: KeyboardEvent<HTMLElement>): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  if (step === undefined) return
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>('tbody a, tbody button, li > button')]
  const index = rows.indexOf(document.activeElement as HTMLElement)
  const next = rows[index + step]
  if (index === -1 || next === undefined) return
  event.preventDefault()
  next.focus()
}
