import { messageOf } from '../core/index.ts'
import { configProblem } from './channels.ts'

/**
 * What plugins keep beyond one configuration: of one plugin, for as long as it is configured, enabled or not; or
 * shared by several, for as long as one asks for it.
 */
export class PluginStates {
  readonly #ofPlugins = new Map<string, object>()
  readonly #shared = new Map<string, object>()
  /** Names that were asked for since the last call of `retain`. */
  readonly #asked = new Set<string>()

  ofPlugin<State extends object>(id: string, create: () => State): State {
    return existing(this.#ofPlugins, id, create)
  }

  shared<State extends object>(name: string, create: () => State): State {
    this.#asked.add(name)
    return existing(this.#shared, name, create)
  }

  /** A configuration has been compiled: forgets what neither its plugins nor what they asked for needs. */
  retain(plugins: readonly { readonly id: string }[]): void {
    const alive = new Set(plugins.map((plugin) => plugin.id))
    forget(this.#ofPlugins, (id) => !alive.has(id))
    forget(this.#shared, (name) => !this.#asked.has(name))
    this.#asked.clear()
  }

  /** Resolves when everything that can be disposed of has been. */
  async dispose(): Promise<void> {
    await Promise.all([...forget(this.#ofPlugins, () => true), ...forget(this.#shared, () => true)])
  }
}

function existing<State extends object>(states: Map<string, object>, key: string, create: () => State): State {
  const state = (states.get(key) as State | undefined) ?? create()
  states.set(key, state)
  return state
}

function forget(states: Map<string, object>, isGone: (key: string) => boolean): Promise<void>[] {
  const gone = [...states].filter(([key]) => isGone(key))
  for (const [key] of gone) states.delete(key)
  return gone.map(([key, state]) => disposed(key, state))
}

async function disposed(key: string, state: object & Partial<AsyncDisposable>): Promise<void> {
  try {
    await state[Symbol.asyncDispose]?.()
  } catch (error) {
    configProblem.publish({ message: `what plugins kept as "${key}" did not end: ${messageOf(error)}` })
  }
}
