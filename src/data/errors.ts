import { defineErrors } from '../core/index.ts'

export const dataError = defineErrors({
  DATA_UNREACHABLE: {
    status: 503,
    retryable: true,
    remedy:
      'A database of the cluster does not answer, or refuses connections. Start it, open it, or correct its URL; the message names the shard, the host and the reason.',
  },
  DATA_CONNECTION_LOST: {
    status: 503,
    retryable: true,
    remedy: 'The connection broke before anything could commit, so nothing was written. Try again.',
  },
  DATA_COMMIT_UNKNOWN: {
    status: 500,
    retryable: false,
    remedy:
      'The connection broke during COMMIT, or during a write without a transaction: it may or may not exist. Repeat it under the same idempotency key, or read first.',
  },
  DATA_COMMIT_ROLLED_BACK: {
    status: 500,
    retryable: false,
    remedy:
      'COMMIT was answered by ROLLBACK: a query of the transaction failed and its error was swallowed. Await every query.',
  },
  DATA_POOL_EXHAUSTED: {
    status: 503,
    retryable: true,
    remedy:
      'No connection became free in time. Shorten transactions, or raise connectionsMax and max_connections together.',
  },
  DATA_RESOURCES_EXHAUSTED: {
    status: 503,
    retryable: true,
    remedy:
      'The PostgreSQL of a shard is out of disk, of memory or at a limit of its configuration; the message says of what. Give it more; nothing was written.',
  },
  DATA_OVERLOADED: {
    status: 503,
    retryable: true,
    remedy:
      'More batched writes wait than the queue holds, or one waited too long; it was not begun. Try again with backoff; shed load before it gets here.',
  },
  DATA_CONFLICT: {
    status: 503,
    retryable: true,
    remedy:
      'PostgreSQL cancelled the transaction over a deadlock, a serialization failure or a lock timeout. Run it again.',
  },
  DATA_STATEMENT_TIMEOUT: {
    status: 504,
    retryable: true,
    remedy: 'A statement ran longer than its timeout and was cancelled. Add an index, or make it do less.',
  },
  DATA_STATEMENT_FAILED: {
    status: 500,
    retryable: false,
    remedy: 'PostgreSQL refused a statement. details.sqlState and details.constraint say why.',
  },
  DATA_BUCKET_NOT_OWNED: {
    status: 503,
    retryable: true,
    remedy:
      'A row was sent to a shard that does not own its bucket, usually because the bucket moved. Routing reloads by itself; if it persists, derive the bucket with bucketOf.',
  },
  DATA_TEXT_INVALID: {
    status: 422,
    retryable: false,
    remedy:
      'PostgreSQL keeps no NUL character in a text, and UTF-8 no half of a surrogate pair. Send the text without it.',
  },
  DATA_KEY_INVALID: {
    status: 400,
    retryable: false,
    remedy: 'A sharding key must be text, or an integer from 0 to 2^53 - 1.',
  },
  DATA_SHARDS_MISMATCH: {
    status: 500,
    retryable: false,
    remedy:
      'The databases are not the shards that the directory describes, in its order. Give exactly those, shard 0 first; use another data folder for another number of shards.',
  },
  DATA_SCATTER_FAILED: {
    status: 503,
    retryable: true,
    remedy:
      'One shard of a query over all shards did not answer; the message names it. Partial results are never returned.',
  },
  DATA_SCATTER_INVALID: {
    status: 500,
    retryable: false,
    remedy:
      'A query over all shards must sort by the columns it names in orderBy, by comparable values, with a limit from 1 to 1000.',
  },
  DATA_MIGRATION_CHANGED: {
    status: 500,
    retryable: false,
    remedy: 'A migration that was already applied has been edited. Restore the file and put the change into a new one.',
  },
  DATA_MIGRATION_FAILED: {
    status: 500,
    retryable: false,
    remedy:
      'A migration failed and was rolled back; the message names shard, file and line. Correct it and start again: applied files are skipped.',
  },
  DATA_MIGRATION_INVALID: {
    status: 500,
    retryable: false,
    remedy: 'A migration folder must hold files named like 0001_create_orders.sql, each number once.',
  },
  DATA_CLOSED: {
    status: 503,
    retryable: true,
    remedy: 'The cluster is closed, since the process is stopping. Send the request to another process.',
  },
  DATA_DIR_LOCKED: {
    status: 500,
    retryable: false,
    remedy:
      'Another process uses the data folder; the message names its pid. Stop it, or set DATA_DIR to another folder.',
  },
  DATA_DIR_UNREACHABLE: {
    status: 500,
    retryable: false,
    remedy:
      'PostgreSQL refuses to run as root, and the user it runs as instead cannot reach the folder. Set DATA_DIR to a folder outside of /root.',
  },
  DATA_ENGINE_UNSUPPORTED: {
    status: 500,
    retryable: false,
    remedy: 'There is no embedded PostgreSQL for this platform. Set DATABASE_URLS to databases of your own.',
  },
  DATA_ENGINE_FAILED: {
    status: 500,
    retryable: false,
    remedy: 'The embedded PostgreSQL did not start; the message ends with the last lines of its log.',
  },
  DATA_ENGINE_VERSION: {
    status: 500,
    retryable: false,
    remedy:
      'The data folder belongs to another major version of PostgreSQL. Dump it with that version, or use another folder.',
  },
  DATA_PORT_IN_USE: {
    status: 500,
    retryable: false,
    remedy: 'Another program listens on the port asked for. Stop it or choose another port.',
  },
})
