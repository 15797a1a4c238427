import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { messageOf, type Placement } from '../core/index.ts'
import { clientConfig, endClient } from './connection.ts'
import { dataError } from './errors.ts'
import {
  MIGRATION_LOCK_TIMEOUT_MS,
  MIGRATION_SLOW_MS,
  MIGRATION_STATEMENT_TIMEOUT_MS,
  MIGRATION_TURN_MS,
} from './limits.ts'
import { isConnectionError } from './sql-error.ts'

/** A folder of `0001_name.sql` files, applied in order of their names to every database of the placement. */
export type MigrationSet = { readonly owner: string; readonly folder: URL; readonly placement: Placement }

/** The tables that make databases shards. First of all sets. */
export const systemMigrations: MigrationSet = {
  owner: 'groundswell.data',
  folder: new URL('./migrations/', import.meta.url),
  placement: 'sharded',
}

type Migration = { readonly owner: string; readonly name: string; readonly sql: string; readonly checksum: string }

export type MigrationTarget = { readonly index: number; readonly label: string; readonly url: string }

const FILE_NAME = /^\d{4}_[a-z0-9_]+\.sql$/
/** Advisory lock of the migrating process, on every shard. The number has no meaning. */
const TURN_LOCK = 5_040_001

const LEDGER = `
  CREATE SCHEMA IF NOT EXISTS groundswell;
  CREATE TABLE IF NOT EXISTS groundswell.migration (
    owner text NOT NULL, name text NOT NULL, checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (owner, name)
  )`

/**
 * Brings every shard up to date: shard 0 first, as the canary, file by file, then the others side by side, which tell
 * only of slow files and when they are done. Each file is a transaction of its own, recorded in the shard's ledger, so
 * that a run that was cut off goes on where it stopped. Throws
 * DATA_MIGRATION_CHANGED when a file differs from what was applied, DATA_MIGRATION_FAILED with shard, file and line.
 */
export async function migrateShards(
  targets: readonly MigrationTarget[],
  sets: readonly MigrationSet[],
  onProgress: (line: string) => void = () => {},
): Promise<{ readonly applied: number }> {
  const loaded = await Promise.all(sets.map(async (set) => ({ set, migrations: await loadMigrations(set) })))
  const forShard = (index: number) =>
    loaded.filter(({ set }) => set.placement === 'sharded' || index === 0).flatMap(({ migrations }) => migrations)
  const [canary, ...others] = targets
  if (canary === undefined) return { applied: 0 }
  let applied = await migrateShard(canary, forShard(canary.index), { onProgress, slowMs: 0 })
  const outcomes = await Promise.allSettled(
    others.map((target) => migrateShard(target, forShard(target.index), { onProgress, slowMs: MIGRATION_SLOW_MS })),
  )
  // Every shard gets as far as it can before the first failure is reported: the ledgers say what is left.
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') throw outcome.reason
    applied += outcome.value
  }
  return { applied }
}

async function loadMigrations({ owner, folder: given }: MigrationSet): Promise<Migration[]> {
  // Without its last slash a URL names the folder, but its files would be looked for beside it.
  const folder = given.pathname.endsWith('/') ? given : new URL(`${given.pathname}/`, given)
  const names = (await filesIn(owner, folder)).filter((name) => name.endsWith('.sql')).sort()
  const wrong = names.find((name) => !FILE_NAME.test(name))
  if (wrong !== undefined) {
    throw dataError('DATA_MIGRATION_INVALID', `${fileURLToPath(folder)}${wrong}: name it like 0001_create_orders.sql`)
  }
  const twice = names.find((name, index) => name.slice(0, 4) === names[index + 1]?.slice(0, 4))
  if (twice !== undefined) {
    throw dataError('DATA_MIGRATION_INVALID', `${fileURLToPath(folder)} has two files with number ${twice.slice(0, 4)}`)
  }
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(new URL(name, folder), 'utf8')
      return { owner, name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

async function filesIn(owner: string, folder: URL): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    const remedy = `make the folder ${fileURLToPath(folder)}, or correct migrations of ${owner}`
    const message = `the migrations of ${owner} cannot be read (${messageOf(error)}): ${remedy}`
    throw dataError('DATA_MIGRATION_INVALID', message, { cause: error })
  }
}

async function migrateShard(
  target: MigrationTarget,
  migrations: readonly Migration[],
  { onProgress, slowMs }: { readonly onProgress: (line: string) => void; readonly slowMs: number },
): Promise<number> {
  const client = new pg.Client({
    ...clientConfig({
      url: target.url,
      applicationName: 'groundswell-migrate',
      statementTimeoutMs: MIGRATION_STATEMENT_TIMEOUT_MS,
    }),
    lock_timeout: MIGRATION_LOCK_TIMEOUT_MS,
  })
  // A connection that breaks also rejects the query under way; unheard, the event would end the process.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    const message = `shard ${target.index} (${target.label}) does not answer: ${messageOf(error)}`
    throw dataError('DATA_UNREACHABLE', message, { cause: error })
  }
  try {
    await takeTurn(client, target)
    await client.query(LEDGER)
    const ledger = await client.query<{ key: string; checksum: string }>(
      `SELECT owner || '/' || name AS key, checksum FROM groundswell.migration`,
    )
    const done = new Map(ledger.rows.map(({ key, checksum }) => [key, checksum]))
    let applied = 0
    for (const migration of migrations) {
      const checksum = done.get(`${migration.owner}/${migration.name}`)
      if (checksum === undefined) {
        const startedAtMs = performance.now()
        await applyMigration(client, target, migration)
        const isTold = performance.now() - startedAtMs >= slowMs
        if (isTold) onProgress(`shard ${target.index}: applied ${migration.owner}/${migration.name}`)
        applied += 1
      } else if (checksum !== migration.checksum) {
        throw dataError(
          'DATA_MIGRATION_CHANGED',
          `shard ${target.index} (${target.label}): ${migration.owner}/${migration.name} was changed after it was applied; ` +
            'restore it, and put the change into a new file',
        )
      }
    }
    if (applied > 0 && slowMs > 0) onProgress(`shard ${target.index}: applied ${applied} files`)
    return applied
  } finally {
    await endClient(client)
  }
}

/** Waits for another process that migrates this shard, longer than a lock may take otherwise. */
async function takeTurn(client: pg.Client, target: MigrationTarget): Promise<void> {
  await client.query(`SET lock_timeout = ${MIGRATION_TURN_MS}`)
  try {
    await client.query('SELECT pg_advisory_lock($1)', [TURN_LOCK])
  } catch (error) {
    const where = `shard ${target.index} (${target.label})`
    throw dataError(
      'DATA_MIGRATION_FAILED',
      `${where}: another process has been migrating it for ${MIGRATION_TURN_MS} ms: start again when it is done`,
      {
        cause: error,
      },
    )
  }
  await client.query(`SET lock_timeout = ${MIGRATION_LOCK_TIMEOUT_MS}`)
}

async function applyMigration(client: pg.Client, target: MigrationTarget, migration: Migration): Promise<void> {
  try {
    await client.query('BEGIN')
    await client.query(migration.sql)
    await client.query('INSERT INTO groundswell.migration (owner, name, checksum) VALUES ($1, $2, $3)', [
      migration.owner,
      migration.name,
      migration.checksum,
    ])
    const { command } = await client.query('COMMIT')
    if (command !== 'COMMIT')
      throw new Error(`COMMIT was answered by ${command}: the file must not end its transaction`)
  } catch (error) {
    // A connection that is gone has rolled back, and would only make this wait as well.
    if (!isConnectionError(error)) await client.query('ROLLBACK').catch(() => undefined)
    const line = lineOf(migration.sql, error)
    throw dataError(
      'DATA_MIGRATION_FAILED',
      `shard ${target.index} (${target.label}): ${migration.owner}/${migration.name}${line}: ${messageOf(error)}`,
      { cause: error, details: { shard: target.index, owner: migration.owner, name: migration.name } },
    )
  }
}

/** `:12` for an error whose position PostgreSQL tells, else nothing. */
function lineOf(sql: string, error: unknown): string {
  const position = error instanceof pg.DatabaseError ? Number(error.position) : Number.NaN
  return position > 0 ? `:${sql.slice(0, position).split('\n').length}` : ''
}
