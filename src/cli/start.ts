import { loadApp, startApp } from '../runtime/index.ts'
import { note, print } from './output.ts'
import { stopRequested } from './signals.ts'

/**
 * `groundswell start`: runs the application, or what `only` names of it, until a signal asks to stop; then drains. A
 * signal that comes during the start is obeyed as soon as everything stands, so that nothing is left half made.
 */
export async function start(path: string, options: { readonly only?: readonly string[] }): Promise<number> {
  const stop = stopRequested(note)
  let stopping = false
  void stop.then(() => {
    stopping = true
    note('stopping: finishing what was accepted')
  })
  const startedAtMs = performance.now()
  const app = await loadApp(path)
  const running = await startApp(app, {
    env: process.env,
    log: print,
    ...(options.only === undefined ? {} : { only: options.only }),
  })
  try {
    if (!stopping) {
      print(await running.describe())
      print(`ready in ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s. Ctrl-C drains and stops.`)
    }
    await Promise.race([stop, running.failed])
  } finally {
    await running.stop()
  }
  note('stopped')
  return 0
}
