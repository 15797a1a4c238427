import { loadApp, type RunningApp, runtimeError, startApp, watchRejections } from '../runtime/index.ts'
import { note, print } from './output.ts'
import { type BrokerName, type OwnBrokerOptions, startOwnBroker } from './own-broker.ts'
import { runUntilStopped } from './run-until-stopped.ts'
import { stopRequested } from './signals.ts'

export type StartArguments = {
  readonly only?: readonly string[]
  /** A broker to start beside it, rather than EVENTS_URL. */
  readonly events?: BrokerName
  readonly json?: boolean
}

/** `groundswell start`: runs the application, or what `only` names of it, until a signal asks to stop; then drains. */
export async function start(path: string, { only, events, json }: StartArguments): Promise<number> {
  if (only !== undefined && events !== undefined) {
    throw runtimeError(
      'RUNTIME_OPTIONS_INVALID',
      'parts of an application share a broker: with --only, run `groundswell kafka` instead of --events, and set EVENTS_URL',
    )
  }
  const signal = stopRequested(note)
  const rejections = watchRejections()
  const startedAtMs = performance.now()
  const app = await loadApp(path)
  const log = json ? note : print
  const options = { log, signal, ...(only === undefined ? {} : { only }) }
  await runUntilStopped(
    signal,
    async () => {
      const running = await withBroker(events, { env: process.env, log, signal }, (env) =>
        startApp(app, { ...options, env }),
      )
      return { ...running, failed: Promise.race([running.failed, rejections.failed]) }
    },
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
  return rejections.hasFailed ? 1 : 0
}

/** The broker is up before the application and stops after it, also when the application does not start. */
async function withBroker(
  events: BrokerName | undefined,
  options: OwnBrokerOptions,
  startIt: (env: NodeJS.ProcessEnv) => Promise<RunningApp>,
): Promise<RunningApp> {
  if (events === undefined) return startIt(options.env)
  const broker = await startOwnBroker(events, options)
  try {
    const running = await startIt({ ...options.env, EVENTS_URL: broker.url })
    return {
      ...running,
      failed: Promise.race([running.failed, broker.failed]),
      stop: () => running.stop().finally(() => broker.stop()),
    }
  } catch (error) {
    await broker.stop()
    throw error
  }
}
