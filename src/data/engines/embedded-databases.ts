import pg from 'pg'
import { dataError } from '../errors.ts'

export type ServerAccess = {
  readonly port: number
  readonly password: string
  /** Folder of the server's Unix domain socket, if it has one: half the kernel's work of a TCP connection. */
  readonly socketDir?: string | undefined
}

/**
 * Not `groundswell`: unqualified names would then land in the schema of that name, since it comes first in search_path.
 */
export const SERVER_USER = 'postgres'

/** `?host=` as libpq and pg read it: it wins over the name before the port, which is for people. */
export function urlOf({ port, password, socketDir }: ServerAccess, database: string): string {
  const url = `postgres://${SERVER_USER}:${password}@127.0.0.1:${port}/${database}`
  return socketDir === undefined ? url : `${url}?host=${encodeURIComponent(socketDir)}`
}

/** The data folder of the server that answers on the port, or undefined when none does or it refuses the password. */
export async function inspectServer(access: ServerAccess): Promise<string | undefined> {
  try {
    return await withClient(access, async (client) => {
      const { rows } = await client.query<{ data_directory: string }>('SHOW data_directory')
      return rows[0]?.data_directory
    })
  } catch {
    // Whatever keeps it from answering, the caller stops it and starts anew.
    return undefined
  }
}

type CreateOptions = {
  readonly shards: number
  readonly dataDir: string
  /** Where the password of `access` is from, for messages. */
  readonly passwordFile: string
  readonly onProgress: (line: string) => void
}

/**
 * Creates the databases `shard_0` … when they are missing. `shard_0` comes last: where it exists, all were created, and
 * their number must be the one asked for. Throws DATA_SHARDS_MISMATCH before anything is changed, and
 * DATA_ENGINE_FAILED when the server refuses us.
 */
export async function createDatabases(access: ServerAccess, options: CreateOptions): Promise<void> {
  const wanted = Array.from({ length: options.shards }, (_, index) => `shard_${index}`)
  await withClientOrReason(access, options, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT datname AS name FROM pg_database WHERE datname ~ '^shard_[0-9]+$'`,
    )
    const present = new Set(rows.map((row) => row.name))
    const missing = wanted.filter((name) => !present.has(name))
    const isComplete = present.has('shard_0')
    if ([...present].some((name) => !wanted.includes(name)) || (isComplete && missing.length > 0)) {
      throw dataError(
        'DATA_SHARDS_MISMATCH',
        `${options.dataDir} holds ${present.size} shard(s), not ${options.shards}: start with ${present.size}, or set DATA_DIR to another folder`,
        { details: { present: present.size, wanted: options.shards } },
      )
    }
    for (const name of missing.reverse()) {
      options.onProgress(`creating database ${name}`)
      await client.query(`CREATE DATABASE ${name} TEMPLATE template0`)
    }
  })
}

/** What the server refuses, as an error that says what to do. */
async function withClientOrReason(
  access: ServerAccess,
  { dataDir, passwordFile }: CreateOptions,
  work: (client: pg.Client) => Promise<void>,
): Promise<void> {
  try {
    await withClient(access, work)
  } catch (cause) {
    if (!(cause instanceof pg.DatabaseError)) throw cause
    const reason = REFUSED.test(cause.code ?? '')
      ? `refuses the password in ${passwordFile}: restore that file, or set DATA_DIR to another folder`
      : `failed: ${cause.message} (SQLSTATE ${cause.code}); its log is ${dataDir}.log`
    throw dataError('DATA_ENGINE_FAILED', `the PostgreSQL of ${dataDir} ${reason}`, { cause })
  }
}

/** Invalid password, invalid authorization. */
const REFUSED = /^28/

async function withClient<T>(access: ServerAccess, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: urlOf(access, 'postgres'), connectionTimeoutMillis: 5_000 })
  client.on('error', () => {
    // A broken connection also rejects the query under way; without a listener it would end the process.
  })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
