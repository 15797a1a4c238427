import { loadApp, startApp } from '../runtime/index.ts'
import { note, print } from './output.ts'
import { runUntilStopped } from './run-until-stopped.ts'
import { stopRequested } from './signals.ts'

export type StartArguments = { readonly only?: readonly string[]; readonly json?: boolean }

/** `groundswell start`: runs the application, or what `only` names of it, until a signal asks to stop; then drains. */
export async function start(path: string, { only, json }: StartArguments): Promise<number> {
  const signal = stopRequested(note)
  const startedAtMs = performance.now()
  const app = await loadApp(path)
  await runUntilStopped(
    signal,
    () =>
      startApp(app, { env: process.env, log: json ? note : print, signal, ...(only === undefined ? {} : { only }) }),
    async (running) => {
      const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1)
      if (json) {
        print(JSON.stringify({ ready: true, seconds: Number(seconds), ...running.addresses }))
        return
      }
      print(await running.describe())
      print(`ready in ${seconds} s. Ctrl-C drains and stops.`)
    },
  )
  return 0
}
