import { useEffect } from 'react'
import { setTimeView, togglePause } from '../store/live.ts'
import { address, navigate, setParameters } from '../store/router.ts'
import { SPAN_DEFAULT_MS } from '../store/time-view.ts'
import { toggleTheme } from './theme.ts'

/** What the keyboard does, for the page of keys; jumps are with the views. */
export const KEYS: readonly (readonly [key: string, meaning: string])[] = [
  ['?', 'show or hide these keys'],
  ['p', 'pause, and go on'],
  ['Esc', 'close what is open; back to live'],
  ['d', 'light or dark'],
  ['/', 'filter the gateway, events, or traces'],
  ['↑ ↓', 'move in a list of traces or spans'],
  ['Tab', 'move between controls'],
]

/** After `g`, the next key within this time is where to go. */
const JUMP_MS = 1_500

type KeyOptions = { readonly jumps: ReadonlyMap<string, string>; readonly onHelp: () => void }

/** Listens to keys outside of fields. */
export function useKeys({ jumps, onHelp }: KeyOptions): void {
  useEffect(() => {
    let jumpUntil = 0
    const listen = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isField(event.target)) return
      const view = event.timeStamp < jumpUntil ? jumps.get(event.key) : undefined
      jumpUntil = event.key === 'g' ? event.timeStamp + JUMP_MS : 0
      if (view !== undefined) navigate(view)
      else press(event, onHelp)
    }
    addEventListener('keydown', listen)
    return () => removeEventListener('keydown', listen)
  }, [jumps, onHelp])
}

function press(event: KeyboardEvent, onHelp: () => void): void {
  const acts: Readonly<Record<string, () => void>> = {
    '?': onHelp,
    p: togglePause,
    d: toggleTheme,
    '/': () => {
      event.preventDefault()
      const field = FILTERS[address().view] ?? '#trace-filter'
      if (field === '#trace-filter') navigate('traces')
      requestAnimationFrame(() => document.querySelector<HTMLElement>(field)?.focus())
    },
    Escape: goBack,
  }
  acts[event.key]?.()
}

/** Views with a filter of their own. Elsewhere traces are what one looks for. */
const FILTERS: Readonly<Record<string, string>> = { gateway: '#gateway-filter', events: '#events-filter' }

/** From an open trace to the list, from an open plugin or group to the page; from a range to what is live. */
function goBack(): void {
  const { view, item, parameters } = address()
  const { plugin = '', group = '' } = parameters
  if (plugin !== '' || group !== '') setParameters({ plugin: '', group: '' })
  else if (item !== undefined) navigate(view)
  else setTimeView({ kind: 'live', spanMs: SPAN_DEFAULT_MS })
}

function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, select, textarea, dialog *')
}
