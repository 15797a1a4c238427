import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { basename, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { delay, messageOf, newId, type StopOptions, systemClock } from '../../core/index.ts'
import { dataError } from '../errors.ts'
import { ENGINE_LOG_BYTES_MAX, ENGINE_START_MS } from '../limits.ts'
import { isAlive, type Lock, lockFile, readIfPresent } from './data-dir.ts'
import { createDatabases, inspectServer, SERVER_USER, urlOf } from './embedded-databases.ts'
import { findPostgresBinaries, type PostgresBinaries } from './postgres-binaries.ts'
import { readPostmaster, stopPostmaster } from './postmaster.ts'
import { serverSettings } from './server-settings.ts'
import { type ServerUser, serverUser } from './server-user.ts'

/**
 * A real PostgreSQL from npm, one server with a database per shard. It runs detached, in a session of its own, so that
 * signals of the terminal reach only us; it outlives our crash, and the next start takes it over or stops it.
 *
 * Beside the data folder `pg` lie `pg.password` (mode 600), `pg.port`, `pg.lock` and `pg.log`.
 */
export type EmbeddedPostgres = {
  /** One per shard, shard 0 first, with the password: never print them. */
  readonly urls: readonly string[]
  readonly port: number
  readonly pid: number
  /** Whether a server was found running that an earlier process left behind. */
  readonly adopted: boolean
  /** Resolves when the server ended, for whatever reason, `stop` included, with how it ended. */
  readonly exited: Promise<string>
  /** Fast shutdown; at the deadline an immediate one, which the next start recovers from. Idempotent. */
  stop(options: StopOptions): Promise<void>
}

export type EmbeddedPostgresOptions = {
  /** The folder of PostgreSQL's data; made when missing. */
  readonly dataDir: string
  readonly shards: number
  /** Default: a free port, the same at every start while it stays free. */
  readonly port?: number | undefined
  /** Connections that a server which this starts takes. Default 120. */
  readonly connectionsMax?: number
  readonly onProgress?: (line: string) => void
}

type Site = {
  readonly dataDir: string
  readonly connectionsMax: number | undefined
  readonly logFile: string
  readonly portFile: string
  readonly passwordFile: string
  readonly binaries: PostgresBinaries
  readonly user: ServerUser
  readonly progress: (line: string) => void
}

type Running = {
  readonly pid: number
  readonly port: number
  readonly exited: Promise<string>
  readonly adopted: boolean
}

const POLL_MS = 10
const EXIT_POLL_MS = 250
const PORT_ATTEMPTS_MAX = 5
const LOG_LINES_SHOWN = 8
const run = promisify(execFile)

/** Starts the server, or takes over the one that a crashed process left; creates `shard_0` … when missing. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const parent = dirname(resolve(options.dataDir))
  await mkdir(parent, { recursive: true })
  // PostgreSQL writes its folder's real path into postmaster.pid, by which we recognise it.
  const dataDir = join(await realpath(parent), basename(options.dataDir))
  const lock = await lockFile(`${dataDir}.lock`, dataDir)
  let running: Running | undefined
  try {
    const site = await prepareSite(dataDir, options)
    const password = await initialise(site)
    running = (await adopt(site, { password, port: options.port })) ?? (await launch(site, options.port))
    const access = { port: running.port, password, socketDir: socketDirOf(dataDir, running.port) }
    await createDatabases(access, {
      shards: options.shards,
      dataDir,
      passwordFile: site.passwordFile,
      onProgress: site.progress,
    })
    const urls = Array.from({ length: options.shards }, (_, index) => urlOf(access, `shard_${index}`))
    return handle(running, { urls, lock })
  } catch (error) {
    if (running !== undefined) await stopPostmaster(running.pid, { deadlineAtMs: systemClock.now() + ENGINE_START_MS })
    await lock.release()
    throw error
  }
}

/** A server that an earlier version started has none. */
function socketDirOf(dataDir: string, port: number): string | undefined {
  return existsSync(join(dataDir, `.s.PGSQL.${port}`)) ? dataDir : undefined
}

function handle(running: Running, { urls, lock }: { urls: readonly string[]; lock: Lock }): EmbeddedPostgres {
  let stopping: Promise<void> | undefined
  const stop = async (options: StopOptions) => {
    await stopPostmaster(running.pid, options)
    // That of a stranger is noticed late, by a timer that keeps no process alive; it is gone by now in any case.
    if (!running.adopted) await running.exited
    await lock.release()
  }
  return {
    ...running,
    urls,
    stop(options) {
      stopping ??= stop(options)
      return stopping
    },
  }
}

async function prepareSite(dataDir: string, options: EmbeddedPostgresOptions): Promise<Site> {
  const binaries = await findPostgresBinaries()
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const user = await serverUser(binaries, dataDir)
  const beside = (suffix: string) => `${dataDir}.${suffix}`
  return {
    dataDir,
    connectionsMax: options.connectionsMax,
    logFile: beside('log'),
    portFile: beside('port'),
    passwordFile: beside('password'),
    binaries,
    user,
    progress: options.onProgress ?? (() => {}),
  }
}

/** Makes the data folder when it is empty, in a draft that is renamed when whole. Returns the password. */
async function initialise(site: Site): Promise<string> {
  const version = await readIfPresent(join(site.dataDir, 'PG_VERSION'))
  if (version !== undefined) {
    await assertVersion(site, version.trim())
    const password = await readIfPresent(site.passwordFile)
    if (password !== undefined) return password.trim()
    throw dataError(
      'DATA_ENGINE_FAILED',
      `${site.passwordFile} is missing, the password of the databases in ${site.dataDir}: restore it, or set DATA_DIR to another folder`,
    )
  }
  const present = await readdir(site.dataDir)
  if (present.length > 0) {
    throw dataError(
      'DATA_ENGINE_FAILED',
      `${site.dataDir} holds ${present[0]} but no PostgreSQL data: choose an empty folder`,
    )
  }
  site.progress('creating the database folder')
  const password = randomBytes(24).toString('base64url')
  await rm(site.passwordFile, { force: true })
  await writeFile(site.passwordFile, `${password}\n`, { mode: 0o600 })
  await site.user.own(site.passwordFile)
  await initdb(site)
  return password
}

async function initdb(site: Site): Promise<void> {
  await removeDrafts(site.dataDir)
  // A name of its own: the initdb of a process that was killed may still be writing into its draft.
  const draft = `${site.dataDir}.new-${newId()}`
  await mkdir(draft, { mode: 0o700 })
  await site.user.own(draft)
  const command = site.user.command(site.binaries.initdb, [
    `--pgdata=${draft}`,
    `--pwfile=${site.passwordFile}`,
    `--username=${SERVER_USER}`,
    '--auth=scram-sha-256',
    // Repeated hashing is for passwords that people choose. Of 24 random bytes it makes none safer, and it would take
    // both sides some milliseconds a connection.
    '--set=scram_iterations=1',
    '--encoding=UTF8',
    // Byte order everywhere: the scatter merges text as the databases sort it, and C is the fastest.
    '--locale=C',
    '--no-instructions',
  ])
  const problem = await runDetached(command)
  if (problem !== undefined) {
    await rm(draft, { recursive: true, force: true })
    throw dataError('DATA_ENGINE_FAILED', `initdb could not make the databases in ${site.dataDir}: ${problem}`)
  }
  await rename(draft, site.dataDir)
}

async function removeDrafts(dataDir: string): Promise<void> {
  const parent = dirname(dataDir)
  const drafts = (await readdir(parent)).filter((name) => name.startsWith(`${basename(dataDir)}.new`))
  for (const draft of drafts) await rm(join(parent, draft), { recursive: true, force: true, maxRetries: 5 })
}

/** Runs a program in a session of its own, where a Ctrl-C does not reach it. Answers what went wrong, if anything. */
function runDetached(command: ReturnType<ServerUser['command']>): Promise<string | undefined> {
  const child = spawn(command.file, [...command.args], {
    ...command.ids,
    env: serverEnvironment(),
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let output = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(messageOf(error)))
    child.once('close', (code, signal) => {
      resolve(code === 0 ? undefined : output.trim() || (signal ?? `exit code ${code}`))
    })
  })
}

async function assertVersion(site: Site, found: string): Promise<void> {
  const { stdout } = await run(site.binaries.postgres, ['--version'])
  const ours = /(\d+)(?:\.|beta|rc|devel)/.exec(stdout)?.[1]
  if (ours === found) return
  throw dataError(
    'DATA_ENGINE_VERSION',
    `${site.dataDir} belongs to PostgreSQL ${found}, the embedded one is ${ours}: dump it with ${found}, or set DATA_DIR to another folder`,
  )
}

/** Takes over a healthy server that a crashed process left running; stops one that is not healthy. */
async function adopt(
  site: Site,
  wanted: { readonly password: string; readonly port: number | undefined },
): Promise<Running | undefined> {
  const found = await readPostmaster(site.dataDir)
  if (found === undefined) return undefined
  const { pid, port } = found
  const isWanted = wanted.port === undefined || wanted.port === port
  if (found.status === 'ready' && isWanted) {
    const dataDir = await inspectServer({ port, password: wanted.password })
    if (dataDir === site.dataDir) {
      site.progress(`taking over the PostgreSQL that an earlier process left running (pid ${pid})`)
      return { pid, port, adopted: true, exited: exitOfStranger(pid) }
    }
  }
  site.progress(`stopping the PostgreSQL that an earlier process left running (pid ${pid})`)
  await stopPostmaster(pid, { deadlineAtMs: systemClock.now() + ENGINE_START_MS })
  return undefined
}

async function exitOfStranger(pid: number): Promise<string> {
  while (isAlive(pid)) {
    await new Promise<void>((resume) => {
      setTimeout(resume, EXIT_POLL_MS).unref()
    })
  }
  return 'it is gone'
}

async function launch(site: Site, wantedPort: number | undefined): Promise<Running> {
  site.progress('starting PostgreSQL')
  await keepLogAside(site.logFile)
  for (let attempt = 1; ; attempt++) {
    const port = wantedPort ?? (await rememberedPort(site.portFile))
    const mayMove = wantedPort === undefined && attempt < PORT_ATTEMPTS_MAX
    const refusal = await refusalOf(port)
    if (refusal === undefined) {
      await writeFile(site.portFile, `${port}\n`)
      try {
        return await spawnServer(site, port)
      } catch (error) {
        // Somebody may have taken the port since it was tried.
        if (!mayMove || (await refusalOf(port)) === undefined) throw error
      }
    } else if (!mayMove) {
      throw dataError('DATA_PORT_IN_USE', refusal)
    }
    await rm(site.portFile, { force: true })
  }
}

async function spawnServer(site: Site, port: number): Promise<Running> {
  const command = site.user.command(site.binaries.postgres, serverSettings({ ...site, port }))
  const log = await open(site.logFile, 'a', 0o600)
  const logFrom = (await log.stat()).size
  const child = spawn(command.file, [...command.args], {
    ...command.ids,
    env: serverEnvironment(),
    cwd: '/',
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  })
  let ended: string | undefined
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => {
      ended = messageOf(error)
      resolve(ended)
    })
    child.once('exit', (code, signal) => {
      ended = signal === null ? `exit code ${code}` : signal
      resolve(ended)
    })
  })
  child.unref()
  await log.close()
  const deadlineAtMs = systemClock.now() + ENGINE_START_MS
  while (ended === undefined && systemClock.now() < deadlineAtMs) {
    const found = await readPostmaster(site.dataDir)
    // setpriv replaces itself by PostgreSQL, so that the child's pid is the server's in every case.
    if (found?.pid === child.pid && found?.status === 'ready') return { pid: found.pid, port, exited, adopted: false }
    await delay(POLL_MS)
  }
  if (child.pid !== undefined && ended === undefined) {
    await stopPostmaster(child.pid, { deadlineAtMs: systemClock.now() + ENGINE_START_MS })
  }
  throw dataError(
    'DATA_ENGINE_FAILED',
    `PostgreSQL did not start (${ended ?? 'not ready in time'}); ${site.logFile} ends with:\n${await tail(site.logFile, logFrom)}`,
  )
}

/** Nothing of our environment but what programs need to run: PG* variables would change what the server does. */
function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' }
}

async function tail(path: string, from: number): Promise<string> {
  const text = (await readFile(path)).subarray(from).toString('utf8')
  return text.trim().split('\n').slice(-LOG_LINES_SHOWN).join('\n')
}

async function keepLogAside(path: string): Promise<void> {
  try {
    if ((await stat(path)).size > ENGINE_LOG_BYTES_MAX) await rename(path, `${path}.1`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

async function rememberedPort(path: string): Promise<number> {
  const remembered = Number(await readIfPresent(path))
  return remembered > 0 ? remembered : listenOnce(0)
}

/** Why PostgreSQL cannot listen on the port, if it cannot. */
async function refusalOf(port: number): Promise<string | undefined> {
  try {
    await listenOnce(port)
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
      ? `port ${port} for PostgreSQL is in use: stop what listens there, or choose another with POSTGRES_PORT`
      : `PostgreSQL cannot listen on port ${port} (${messageOf(error)}): choose another with POSTGRES_PORT`
  }
}

/** Listens on the port for a moment (0: any free one) and tells which it was. */
function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port))
    })
  })
}
