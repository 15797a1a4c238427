import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, STOP_GRACE_MS, type StopOptions, systemClock } from '../core/index.ts'
import {
  type EmbeddedPostgres,
  lockDataDir,
  type OpenCluster,
  openCluster,
  startEmbeddedPostgres,
} from '../data/index.ts'
import { runtimeError } from './errors.ts'
import { SERVED_CONNECTIONS_MAX } from './limits.ts'
import { type RuntimeOptions, readOptions } from './options.ts'

/**
 * Which databases a process uses: servers of the user's (`DATABASE_URLS`), or the embedded PostgreSQL, which belongs to
 * one process at a time. Its owner leaves `connection.json` in the data folder, so that commands find the running
 * databases.
 */
const CONNECTION_FILE = 'connection.json'

export type Databases = {
  readonly urls: readonly string[]
  readonly source: 'DATABASE_URLS' | 'embedded'
  /** Settles when the embedded server ends, with how it did. */
  readonly exited: Promise<string>
  /** For RUNTIME_DATABASE_GONE. */
  whyGone(reason: string): string
  stop(options: StopOptions): Promise<void>
}

/** Starts or finds the databases of a process that runs services. `connectionsMax`: of the embedded server. */
export async function startDatabases(
  options: RuntimeOptions,
  log: (line: string) => void,
  connectionsMax?: number,
): Promise<Databases> {
  if (options.databaseUrls !== undefined) {
    return {
      urls: options.databaseUrls,
      source: 'DATABASE_URLS',
      exited: new Promise(() => {}),
      whyGone: String,
      stop: async () => {},
    }
  }
  const lock = await lockFolder(options.dataDir)
  const file = join(options.dataDir, CONNECTION_FILE)
  let server: EmbeddedPostgres | undefined
  const stop = async (stopOptions: StopOptions) => {
    await rm(file, { force: true })
    await server?.stop(stopOptions)
    await lock.release()
  }
  try {
    const dataDir = join(options.dataDir, 'postgres')
    server = await startEmbeddedPostgres({
      dataDir,
      shards: options.shards,
      ...(connectionsMax !== undefined && { connectionsMax }),
      port: options.postgresPort || undefined,
      onProgress: log,
    })
    await writeFile(file, JSON.stringify({ pid: process.pid, urls: server.urls }), { mode: 0o600 })
    return {
      urls: server.urls,
      source: 'embedded',
      exited: server.exited,
      whyGone: (reason) =>
        `the embedded PostgreSQL ended by itself (${reason}): ${dataDir}.log says why; start again, nothing accepted is lost`,
      stop,
    }
  } catch (error) {
    await stop({ deadlineAtMs: systemClock.now() + STOP_GRACE_MS })
    throw error
  }
}

/** Throws RUNTIME_DATA_DIR_UNUSABLE, or DATA_DIR_LOCKED when another process has it. */
async function lockFolder(dataDir: string): ReturnType<typeof lockDataDir> {
  try {
    return await lockDataDir(dataDir)
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error
    const message = `the data folder ${dataDir} cannot be used (${error.message}): set DATA_DIR to another one`
    throw runtimeError('RUNTIME_DATA_DIR_UNUSABLE', message, { cause: error })
  }
}

/**
 * Opens the databases for a command: those of `DATABASE_URLS`, or the embedded ones of an application that is running.
 * Throws RUNTIME_NOT_RUNNING when neither is there.
 */
export async function openData(env: NodeJS.ProcessEnv): Promise<{ cluster: OpenCluster; close(): Promise<void> }> {
  const options = readOptions(env)
  const urls = options.databaseUrls ?? (await runningUrls(options.dataDir))
  const cluster = await openCluster({
    urls,
    connectionsMax: Math.max(4, urls.length),
    applicationName: 'groundswell-cli',
  })
  await cluster.loadDirectory()
  return { cluster, close: () => cluster.close({ deadlineAtMs: systemClock.now() + 5_000 }) }
}

async function runningUrls(dataDir: string): Promise<readonly string[]> {
  const file = join(dataDir, CONNECTION_FILE)
  try {
    const connection = JSON.parse(await readFile(file, 'utf8')) as { pid: number; urls: string[] }
    process.kill(connection.pid, 0)
    return connection.urls
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    // No file, or the process that wrote it is gone; anything else is worth a word.
    const why = ['ENOENT', 'ESRCH'].includes(code) ? '' : ` (${messageOf(error)})`
    throw runtimeError(
      'RUNTIME_NOT_RUNNING',
      `nothing runs on the data folder ${dataDir}${why}: start the application, or set DATABASE_URLS or DATA_DIR`,
      { cause: error },
    )
  }
}

export type DatabaseOptions = {
  readonly env: NodeJS.ProcessEnv
  readonly log: (line: string) => void
  readonly signal?: AbortSignal
}

/** Runs the embedded PostgreSQL alone, for services apart on a laptop. A signal interrupts its start. */
export async function startDatabase({ env, log, signal }: DatabaseOptions): Promise<Databases> {
  const options = readOptions(env)
  if (options.databaseUrls !== undefined) {
    throw runtimeError('RUNTIME_OPTIONS_INVALID', 'DATABASE_URLS is set, so there is no embedded database to start')
  }
  const logged = (line: string) => {
    signal?.throwIfAborted()
    log(line)
  }
  const databases = await startDatabases(options, logged, SERVED_CONNECTIONS_MAX)
  if (signal?.aborted !== true) return databases
  await databases.stop({ deadlineAtMs: systemClock.now() + STOP_GRACE_MS })
  throw signal.reason
}
