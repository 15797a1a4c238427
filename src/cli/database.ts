import { STOP_GRACE_MS, systemClock } from '../core/index.ts'
import { runtimeError, startDatabase } from '../runtime/index.ts'
import { note, print } from './output.ts'
import { runUntilStopped } from './run-until-stopped.ts'
import { stopRequested } from './signals.ts'

/** `groundswell database`: the embedded PostgreSQL alone, until a signal asks to stop. */
export async function database({ json }: { readonly json?: boolean }): Promise<number> {
  const signal = stopRequested(note)
  await runUntilStopped(
    signal,
    async () => {
      const databases = await startDatabase({ env: process.env, log: note, signal })
      return {
        urls: databases.urls,
        stop: () => databases.stop({ deadlineAtMs: systemClock.now() + STOP_GRACE_MS }),
        failed: databases.exited.then((reason): never => {
          throw runtimeError('RUNTIME_DATABASE_GONE', databases.whyGone(reason))
        }),
      }
    },
    async ({ urls }) => {
      if (json) {
        print(JSON.stringify({ ready: true, urls }))
        return
      }
      print(`export DATABASE_URLS='${urls.join(',')}'`)
      print('ready. Run the line above where services are to start; Ctrl-C stops.')
    },
  )
  return 0
}
