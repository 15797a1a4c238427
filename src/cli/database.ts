import { STOP_GRACE_MS, systemClock } from '../core/index.ts'
import { runtimeError, startDatabase } from '../runtime/index.ts'
import { note, print } from './output.ts'
import { stopRequested } from './signals.ts'

/** `groundswell database`: the embedded PostgreSQL alone, until a signal asks to stop. */
export async function database(): Promise<number> {
  const stop = stopRequested(note)
  const server = await startDatabase(process.env, note)
  try {
    print(`export DATABASE_URLS='${server.urls.join(',')}'`)
    print('ready. Run the line above where services are to start; Ctrl-C stops.')
    const reason = await Promise.race([stop, server.exited])
    if (reason !== undefined) {
      throw runtimeError('RUNTIME_DATABASE_GONE', `the embedded PostgreSQL ended by itself: ${reason}`)
    }
  } finally {
    await server.stop({ deadlineAtMs: systemClock.now() + STOP_GRACE_MS })
  }
  note('stopped')
  return 0
}
