import pg from 'pg'
import { delay } from '../core/index.ts'
import { clientConfig, endClient } from './connection.ts'
import { LISTEN_RENEW_MS } from './limits.ts'
import { type ErrorPlace, toDataError } from './sql-error.ts'

type Listening = {
  readonly url: string
  readonly place: ErrorPlace
  readonly channel: string
  /** Also called, with an empty payload, after the connection was renewed: something may have been missed. */
  readonly onNotify: (payload: string) => void
  readonly applicationName: string
}

type Connection = { readonly client: pg.Client; readonly ended: Promise<void> }

/**
 * Listens on a channel over a connection of its own, until the returned function is called. A connection that breaks is
 * renewed for as long as it takes; only the first one must succeed.
 */
export async function listenOn(options: Listening): Promise<() => Promise<void>> {
  const stop = new AbortController()
  let connection: Connection
  try {
    connection = await connect(options)
  } catch (error) {
    throw toDataError(error, options.place)
  }
  const keeping = keep()
  return async () => {
    stop.abort()
    await endClient(connection.client)
    await keeping
  }

  async function keep(): Promise<void> {
    while (!stop.signal.aborted) {
      await connection.ended
      await renew()
    }
  }

  async function renew(): Promise<void> {
    while (!stop.signal.aborted) {
      await delay(LISTEN_RENEW_MS, stop.signal)
      if (stop.signal.aborted) return
      try {
        connection = await connect(options)
        if (stop.signal.aborted) await endClient(connection.client)
        else options.onNotify('')
        return
      } catch {
        // The database is still away. Whoever needs it finds out by its queries; this only waits.
      }
    }
  }
}

async function connect({ url, channel, onNotify, applicationName }: Listening): Promise<Connection> {
  const client = new pg.Client(clientConfig({ url, applicationName: `${applicationName}-listen` }))
  const ended = new Promise<void>((resolve) => client.once('end', resolve))
  client.on('notification', ({ payload }) => onNotify(payload ?? ''))
  // A connection that breaks also ends, which is what `keep` waits for.
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query(`LISTEN ${client.escapeIdentifier(channel)}`)
  } catch (error) {
    await endClient(client)
    throw error
  }
  return { client, ended }
}
