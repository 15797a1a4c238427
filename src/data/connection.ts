import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import pg from 'pg'
import { messageOf, STATEMENT_TIMEOUT_MS, systemClock, untilDeadline } from '../core/index.ts'
import { typeParser } from './column-types.ts'
import { dataError } from './errors.ts'
import {
  ACQUIRE_TIMEOUT_MS,
  ACQUIRE_WAITING_MAX,
  CONNECT_TIMEOUT_MS,
  CONNECTION_END_MS,
  CONNECTION_IDLE_MS,
  CONNECTIONS_KEPT,
  KEEP_ALIVE_PROBE_MS,
  PREPARED_TEXTS_MAX,
  QUERY_MARGIN_MS,
} from './limits.ts'
import { type ErrorPlace, toConnectError } from './sql-error.ts'

/** Connections to one database: pooled, pipelined, bounded in number, in waiters and in waiting time. */
export type Connections = {
  acquire(): Promise<pg.PoolClient>
  /** Waits for connections in use until the deadline, then cuts them off. */
  close(options: { readonly deadlineAtMs: number }): Promise<void>
  stats(): ConnectionStats
}

/** Connections that are open, those of them that nobody uses, those there may be, and how many wait for one. */
export type ConnectionStats = {
  readonly total: number
  readonly idle: number
  readonly max: number
  readonly waiting: number
}

export type ConnectionOptions = {
  readonly url: string
  readonly max: number
  readonly applicationName: string
  readonly place: ErrorPlace
  /** Time the server gets for one statement. Default STATEMENT_TIMEOUT_MS. */
  readonly statementTimeoutMs?: number
}

export function openConnections(options: ConnectionOptions): Connections {
  const { place } = options
  const clients = new Set<pg.PoolClient>()
  const pool = new pg.Pool({
    ...clientConfig(options),
    max: options.max,
    min: Math.min(CONNECTIONS_KEPT, options.max),
    idleTimeoutMillis: CONNECTION_IDLE_MS,
    connectionTimeoutMillis: ACQUIRE_TIMEOUT_MS,
    pipeline: true,
  })
  pool.on('connect', (client) => {
    clients.add(client)
    // A connection that breaks while it is out also rejects the query under way; unheard, the event would end the
    // process.
    client.on('error', () => {})
  })
  pool.on('remove', (client) => clients.delete(client))
  // An idle connection broke. The pool has dropped it, and the next acquire makes another.
  pool.on('error', () => {})
  return {
    acquire: () => acquire(pool, place),
    stats: () => ({ total: pool.totalCount, idle: pool.idleCount, max: options.max, waiting: pool.waitingCount }),
    async close(deadline) {
      const ended = pool.end()
      if ((await untilDeadline(ended, deadline)) === 'done') return
      for (const client of clients) destroy(client)
      // A transaction that waits for something else than its queries does not notice, and never gives its own back.
      await untilDeadline(ended, { deadlineAtMs: systemClock.now() + CONNECTION_END_MS })
    },
  }
}

/**
 * What every connection has in common, pooled or not: among it that nothing waits for ever on a peer that is gone. A
 * pipelined connection is cut off by pg when a query's time is over.
 */
export function clientConfig(
  options: Pick<ConnectionOptions, 'url' | 'applicationName' | 'statementTimeoutMs'>,
): pg.ClientConfig {
  const statementTimeoutMs = options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS
  return {
    connectionString: options.url,
    application_name: options.applicationName,
    // Statements are few and prepared, and find rows by index: planning them again for every array was 6 % of
    // PostgreSQL's work.
    options: '-c plan_cache_mode=force_generic_plan',
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + QUERY_MARGIN_MS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_PROBE_MS,
    types: { getTypeParser: typeParser },
  }
}

/** `host:port/database` of a URL, without credentials. */
export function labelOf(url: string): string {
  try {
    const { hostname, port, pathname, searchParams } = new URL(url)
    return `${hostname || searchParams.get('host')}:${port || '5432'}${pathname}`
  } catch {
    // The text is no URL and may hold a password anywhere: none of it is shown.
    return 'invalid URL'
  }
}

async function acquire(pool: pg.Pool, place: ErrorPlace): Promise<pg.PoolClient> {
  if (pool.ending) throw dataError('DATA_CLOSED', `shard ${place.shard} (${place.label}) is closed`)
  if (pool.waitingCount >= ACQUIRE_WAITING_MAX)
    throw exhausted(place, `${pool.waitingCount} already wait for a connection`)
  try {
    return await pool.connect()
  } catch (error) {
    if (/^timeout exceeded/.test(messageOf(error))) {
      throw exhausted(place, `no connection became free within ${ACQUIRE_TIMEOUT_MS} ms`)
    }
    throw toConnectError(error, place)
  }
}

function exhausted(place: ErrorPlace, reason: string) {
  return dataError(
    'DATA_POOL_EXHAUSTED',
    `shard ${place.shard} (${place.label}): ${reason}; shorten transactions or raise connectionsMax`,
    { details: { shard: place.shard } },
  )
}

/** Ends a connection that is not pooled, by force when the other side does not take part. Never rejects. */
export async function endClient(client: pg.Client): Promise<void> {
  const cutOff = setTimeout(() => destroy(client), CONNECTION_END_MS)
  await client.end().catch(() => undefined)
  clearTimeout(cutOff)
}

function destroy(client: pg.ClientBase): void {
  // `end` waits for the queries under way; this is for when there is no more time.
  streamOf(client).destroy()
}

function streamOf(client: pg.ClientBase): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream
}

const statementNames = new Map<string, string>()

/**
 * The name under which a connection prepares this text: short, and the same in every process. Undefined once there are
 * PREPARED_TEXTS_MAX of them: further texts are sent unprepared, so that generated SQL cannot fill the server's memory.
 */
export function statementName(text: string): string | undefined {
  const known = statementNames.get(text)
  if (known !== undefined || statementNames.size >= PREPARED_TEXTS_MAX) return known
  const name = `gs_${createHash('sha256').update(text).digest('base64url').slice(0, 16)}`
  statementNames.set(text, name)
  return name
}
