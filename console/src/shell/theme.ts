import { useSyncExternalStore } from 'react'

/** Light, dark, or what the system says. What somebody chose is kept in this browser. */
export type ThemeChoice = 'system' | 'light' | 'dark'
export type Theme = { readonly choice: ThemeChoice; readonly shown: 'light' | 'dark' }

const KEY = 'groundswell.theme'
const CHOICES: readonly ThemeChoice[] = ['system', 'light', 'dark']
const system = matchMedia('(prefers-color-scheme: dark)')
const listeners = new Set<() => void>()
let theme = themeOf(CHOICES.find((choice) => choice === localStorage.getItem(KEY)) ?? 'system')

show()
system.addEventListener('change', () => set(theme.choice))

export function useTheme(): Theme {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    () => theme,
  )
}

/** From what is shown to its opposite; back to the system's choice when that is the same. */
export function toggleTheme(): void {
  const wanted = theme.shown === 'dark' ? 'light' : 'dark'
  const isSystems = (wanted === 'dark') === system.matches
  set(isSystems ? 'system' : wanted)
}

function set(choice: ThemeChoice): void {
  theme = themeOf(choice)
  localStorage.setItem(KEY, choice)
  show()
  for (const listener of listeners) listener()
}

function show(): void {
  document.documentElement.dataset.theme = theme.shown
}

function themeOf(choice: ThemeChoice): Theme {
  const systems = system.matches ? 'dark' : 'light'
  return { choice, shown: choice === 'system' ? systems : choice }
}
