import { startKafkaServer } from '../testing/index.ts'
import { note, print } from './output.ts'
import { runUntilStopped } from './run-until-stopped.ts'
import { stopRequested } from './signals.ts'

/** `groundswell kafka`: an Apache Kafka of one node for development, until a signal asks to stop; it keeps nothing. */
export async function kafka({ json }: { readonly json?: boolean }): Promise<number> {
  const signal = stopRequested(note)
  note('starting Kafka; the first time Maven fetches it')
  await runUntilStopped(
    signal,
    async () => {
      const server = await startKafkaServer()
      return { url: server.url, stop: () => server.stop(), failed: server.failed }
    },
    async ({ url }) => {
      if (json) {
        print(JSON.stringify({ ready: true, url }))
        return
      }
      print(`export EVENTS_URL='${url}'`)
      print('ready. Run the line above where the application is to start; Ctrl-C stops.')
    },
  )
  return 0
}
