import pg from 'pg'
import { delay } from '../core/index.ts'
import { clientConfig } from './connection.ts'
import { LISTEN_RENEW_MS } from './limits.ts'
import { type ErrorPlace, toDataError } from './sql-error.ts'

type Listening = {
  readonly url: string
  readonly place: ErrorPlace
  readonly channel: string
  readonly onNotify: (payload: string) => void
  readonly applicationName: string
}

/** Notifications are hints: what was missed while the connection was renewed is found by the listener's own polling. */
export async function listenOn(options: Listening): Promise<() => Promise<void>> {
  let stopped = false
  let client: pg.Client
  const connect = async () => {
    client = new pg.Client(clientConfig({ url: options.url, applicationName: `${options.applicationName}-listen` }))
    client.on('notification', ({ payload }) => options.onNotify(payload ?? ''))
    client.on('error', () => {})
    client.on('end', () => void renew())
    await client.connect()
    await client.query(`LISTEN ${client.escapeIdentifier(options.channel)}`)
  }
  const renew = async () => {
    while (!stopped) {
      await delay(LISTEN_RENEW_MS)
      if (
        stopped ||
        (await connect().then(
          () => true,
          () => false,
        ))
      )
        return
    }
  }
  try {
    await connect()
  } catch (error) {
    stopped = true
    throw toDataError(error, options.place)
  }
  return async () => {
    stopped = true
    await client.end()
  }
}
