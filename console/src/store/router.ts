import { useSyncExternalStore } from 'react'
import { type Address, formatAddress, parseAddress } from './address.ts'

/** The address bar as a store. What changes a view adds to the history; what changes how it is shown does not. */
let current = parseAddress(location.hash)
const listeners = new Set<() => void>()

addEventListener('hashchange', () => {
  current = parseAddress(location.hash)
  for (const listener of listeners) listener()
})

export function address(): Address {
  return current
}

export function useAddress(): Address {
  return useSyncExternalStore(onAddress, address)
}

export function onAddress(listener: () => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

export function navigate(view: string, item?: string): void {
  location.hash = hrefOf(view, item)
}

/** The link to a view: what the time axes show goes along. */
export function hrefOf(view: string, item?: string): string {
  const { from = '', to = '', span = '' } = current.parameters
  return formatAddress({ view, item, parameters: { from, to, span } })
}

/** Changes parameters of the present view; empty ones are removed. */
export function setParameters(changes: Readonly<Record<string, string>>): void {
  current = { ...current, parameters: { ...current.parameters, ...changes } }
  history.replaceState(null, '', formatAddress(current))
  for (const listener of listeners) listener()
}
