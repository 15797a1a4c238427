import { messageOf, type StopOptions, systemClock } from '../core/index.ts'
import { configProblem } from './channels.ts'
import { PLUGIN_STOP_MS } from './limits.ts'
import type { PluginState } from './plugins/plugin.ts'

/**
 * What plugins keep beyond one configuration: of one plugin, for as long as it is configured, enabled or not; or
 * shared by several, for as long as one asks for it.
 */
export class PluginStates {
  readonly #ofPlugins = new Map<string, PluginState>()
  readonly #shared = new Map<string, PluginState>()
  /** Names that were asked for since the last call of `retain`. */
  readonly #asked = new Set<string>()

  ofPlugin<State extends PluginState>(id: string, create: () => State): State {
    return existing(this.#ofPlugins, id, create)
  }

  shared<State extends PluginState>(name: string, create: () => State): State {
    this.#asked.add(name)
    return existing(this.#shared, name, create)
  }

  /** A configuration has been compiled: forgets what neither its plugins nor what they asked for needs. */
  retain(plugins: readonly { readonly id: string }[]): void {
    const alive = new Set(plugins.map((plugin) => plugin.id))
    const options = { deadlineAtMs: systemClock.now() + PLUGIN_STOP_MS }
    stopThose(this.#ofPlugins, options, (id) => !alive.has(id))
    stopThose(this.#shared, options, (name) => !this.#asked.has(name))
    this.#asked.clear()
  }

  /** Resolves when everything that can be stopped has been: what plugins keep first, then what it shares. */
  async stop(options: StopOptions): Promise<void> {
    await Promise.all(stopThose(this.#ofPlugins, options))
    await Promise.all(stopThose(this.#shared, options))
  }
}

function existing<State extends PluginState>(
  states: Map<string, PluginState>,
  key: string,
  create: () => State,
): State {
  const state = (states.get(key) as State | undefined) ?? create()
  states.set(key, state)
  return state
}

/** Forgets them at once; each promise resolves when one has stopped. */
function stopThose(
  states: Map<string, PluginState>,
  options: StopOptions,
  isGone: (key: string) => boolean = () => true,
): Promise<void>[] {
  const gone = [...states].filter(([key]) => isGone(key))
  for (const [key] of gone) states.delete(key)
  return gone.map(([key, state]) => stopped(key, state, options))
}

async function stopped(key: string, state: PluginState, options: StopOptions): Promise<void> {
  try {
    await state.stop?.(options)
  } catch (error) {
    configProblem.publish({ message: `what plugins kept as "${key}" did not stop: ${messageOf(error)}` })
  }
}
