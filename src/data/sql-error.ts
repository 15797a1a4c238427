import pg from 'pg'
import { GroundswellError, messageOf } from '../core/index.ts'
import { dataError } from './errors.ts'

/** Where an error happened, for its message. */
export type ErrorPlace = { readonly shard: number; readonly label: string }

const CONFLICTS = new Set(['40001', '40P01', '55P03'])
const TOO_MANY_CONNECTIONS = '53300'
/** Texts of a driver are well-formed: what is left to be refused in one is the character NUL. */
const NO_SUCH_CHARACTER = '22021'
/** The server ends the connection: shutdown, crash of another process, database dropped, idle session. */
const CONNECTION_ENDED = new Set(['57P01', '57P02', '57P03', '57P05', '25P03'])
/** The statement was prepared before a migration changed its tables; a new connection prepares it afresh. */
const STALE_PLAN = /cached plan must not change result type/

const TEXT_REFUSED = 'PostgreSQL cannot keep a character of one of the texts'

/**
 * Any error that the driver answered a query with, as one of ours. What is neither the server's nor the connection's
 * doing, such as a value that cannot be serialised, passes unchanged: it is the caller's.
 */
export function toDataError(error: unknown, place: ErrorPlace): unknown {
  if (error instanceof GroundswellError) return error
  const sqlState = sqlStateOf(error)
  if (sqlState === undefined) return isConnectionError(error) ? connectionLost(error, place) : error
  const database = error as pg.DatabaseError
  const options = {
    cause: error,
    details: {
      sqlState,
      shard: place.shard,
      constraint: database.constraint,
      table: database.table,
      column: database.column,
      position: database.position,
    },
  }
  const where = `shard ${place.shard} (${place.label})`
  const message = `${where}: ${database.message} (SQLSTATE ${sqlState})`
  if (sqlState === 'SH001') return dataError('DATA_BUCKET_NOT_OWNED', message, options)
  if (CONFLICTS.has(sqlState)) return dataError('DATA_CONFLICT', message, options)
  if (sqlState === '57014') return dataError('DATA_STATEMENT_TIMEOUT', message, options)
  if (sqlState === TOO_MANY_CONNECTIONS) return dataError('DATA_POOL_EXHAUSTED', message, options)
  // The rest of class 53: disk, memory or a configured limit is used up, which is no statement's doing and passes.
  if (sqlState.startsWith('53')) return dataError('DATA_RESOURCES_EXHAUSTED', message, options)
  // Told to whoever sent the text, who has no business with where it was to go.
  if (sqlState === NO_SUCH_CHARACTER) return dataError('DATA_TEXT_INVALID', TEXT_REFUSED, options)
  if (CONNECTION_ENDED.has(sqlState) || sqlState.startsWith('08'))
    return dataError('DATA_CONNECTION_LOST', message, options)
  if (isStalePlan(error)) return dataError('DATA_CONFLICT', message, options)
  return dataError('DATA_STATEMENT_FAILED', message, options)
}

/**
 * Any error of making a connection, as one of ours. Nothing was sent by then: whatever the reason, a password,
 * a database that is shut or none at all, it is the database that cannot be reached, and no statement that failed.
 */
export function toConnectError(error: unknown, place: ErrorPlace): unknown {
  const sqlState = sqlStateOf(error)
  // There are connections, only none is left.
  if (sqlState === TOO_MANY_CONNECTIONS) return toDataError(error, place)
  const reason =
    sqlState === undefined
      ? `does not answer: ${messageOf(error)}`
      : `takes no connection: ${messageOf(error)} (SQLSTATE ${sqlState})`
  return dataError('DATA_UNREACHABLE', `shard ${place.shard} (${place.label}) ${reason}`, {
    cause: error,
    details: { shard: place.shard, sqlState },
  })
}

/** The SQLSTATE of an error that the server answered with, else undefined. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined
}

/** Whether the connection can no longer be used after this error. */
export function breaksConnection(error: unknown): boolean {
  const sqlState = sqlStateOf(error)
  return sqlState === undefined || CONNECTION_ENDED.has(sqlState) || sqlState.startsWith('08') || isStalePlan(error)
}

function isStalePlan(error: unknown): boolean {
  return sqlStateOf(error) === '26000' || (sqlStateOf(error) === '0A000' && STALE_PLAN.test(messageOf(error)))
}

/** Whether pg refused the query at once, because it knew already that the connection had ended. */
export function wasNeverSent(error: unknown): boolean {
  return error instanceof Error && /is not queryable$/.test(error.message)
}

const CONNECTION_MESSAGE =
  /^Connection terminated|^Client (was closed|has encountered)|^timeout expired$|^Query read timeout$|^read ECONN/

/** node:net errors carry a system code; pg has none for connections that end, only messages. */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if ('syscall' in error || error instanceof AggregateError) return true
  return CONNECTION_MESSAGE.test(error.message)
}

/** The connection broke once the server may have committed. */
export function unknownOutcome(place: ErrorPlace, cause: unknown) {
  return dataError(
    'DATA_COMMIT_UNKNOWN',
    `shard ${place.shard} (${place.label}): the connection broke during a commit; read, or repeat with the same key`,
    { cause, details: { shard: place.shard } },
  )
}

function connectionLost(error: unknown, place: ErrorPlace) {
  return dataError(
    'DATA_CONNECTION_LOST',
    `shard ${place.shard} (${place.label}): the connection broke (${messageOf(error)}); try again`,
    { cause: error, details: { shard: place.shard } },
  )
}
