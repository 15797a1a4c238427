import { totalmem } from 'node:os'
import { join } from 'node:path'
import { ENGINE_BUFFERS_BYTES_MAX } from '../limits.ts'

const MIB = 1_048_576
const CONNECTIONS_MAX_DEFAULT = 120

/**
 * Settings of the embedded server: full durability, throughput on a two-core laptop, and ready for online moves
 * (logical WAL). Passed on the command line at each start, so that an upgrade of Groundswell changes them too.
 */
export function serverSettings(options: {
  readonly dataDir: string
  readonly port: number
  readonly connectionsMax: number | undefined
}): readonly string[] {
  const buffersMiB = Math.floor(Math.min(ENGINE_BUFFERS_BYTES_MAX, totalmem() / 4) / MIB)
  const settings: Readonly<Record<string, string>> = {
    listen_addresses: '127.0.0.1',
    port: String(options.port),
    unix_socket_directories: fitsSocket(options.dataDir) ? options.dataDir : '',
    max_connections: String(options.connectionsMax ?? CONNECTIONS_MAX_DEFAULT),
    // Durability: an acknowledged commit survives the crash of any process and of the machine.
    fsync: 'on',
    synchronous_commit: 'on',
    full_page_writes: 'on',
    // Online moves of buckets.
    wal_level: 'logical',
    max_replication_slots: '16',
    max_wal_senders: '16',
    max_prepared_transactions: '16',
    shared_buffers: `${buffersMiB}MB`,
    wal_buffers: `${Math.min(64, Math.max(16, buffersMiB >> 3))}MB`,
    min_wal_size: '512MB',
    max_wal_size: '4GB',
    checkpoint_timeout: '15min',
    checkpoint_completion_target: '0.9',
    random_page_cost: '1.1',
    // Queries here are short: compiling them costs more than it saves.
    jit: 'off',
    // Outboxes and queues turn over fast: vacuum looks often and works briskly.
    autovacuum_naptime: '15s',
    autovacuum_vacuum_cost_limit: '2000',
    autovacuum_vacuum_scale_factor: '0.05',
    // Rows here are found by index whatever the statistics say. Sampling every table that grew by a tenth was a tenth
    // of PostgreSQL's work in a fresh shop under load.
    autovacuum_analyze_scale_factor: '0.5',
    autovacuum_analyze_threshold: '5000',
    idle_in_transaction_session_timeout: '60s',
    timezone: 'UTC',
    log_timezone: 'UTC',
    lc_messages: 'C',
    log_line_prefix: '%m [%p] %d ',
    log_min_duration_statement: '1000',
    log_checkpoints: 'off',
    log_lock_waits: 'on',
  }
  return ['-D', options.dataDir, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
}

/**
 * Whether the server's socket can lie in this folder, where only its owner gets at it. A socket's path has at most 107
 * bytes on Linux and 103 elsewhere; without a socket there is TCP.
 */
export function fitsSocket(dataDir: string): boolean {
  return Buffer.byteLength(join(dataDir, '.s.PGSQL.65535')) <= 103
}
