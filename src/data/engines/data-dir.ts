import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dataError } from '../errors.ts'

/**
 * Exclusive use of a folder by one process, through a file that names the process. A lock whose process is gone is
 * taken over: "gone" means that no process has the pid, or that the one that has it started at another time (pids are
 * reused).
 */
export type Lock = { release(): Promise<void> }

type Holder = { readonly pid: number; readonly startedAt: string }

const TAKEOVERS_MAX = 5

/** Locks the data folder `dir`, which is created if missing. Throws DATA_DIR_LOCKED naming the pid that holds it. */
export async function lockDataDir(dir: string): Promise<Lock> {
  await mkdir(dir, { recursive: true })
  return lockFile(join(dir, 'groundswell.lock'), dir)
}

/** Locks through the file `path`; `what` is the folder to name in the error. */
export async function lockFile(path: string, what: string): Promise<Lock> {
  const mine = JSON.stringify({ pid: process.pid, startedAt: await startTimeOf(process.pid) } satisfies Holder)
  for (let attempt = 0; attempt < TAKEOVERS_MAX; attempt++) {
    if (await createWhole(path, mine)) return { release: () => releaseIfMine(path, mine) }
    const found = await readIfPresent(path)
    if (found === undefined) continue
    const holder = parseHolder(found)
    if (holder !== undefined && (await isRunning(holder))) throw locked(what, holder.pid)
    await removeStale(path, found)
  }
  throw locked(what, undefined)
}

/** When the process `pid` started, in the kernel's own unit, or '' where that cannot be known. */
export async function startTimeOf(pid: number): Promise<string> {
  const stat = await readIfPresent(`/proc/${pid}/stat`)
  // The command (field 2) may itself hold spaces and parentheses: fields are counted from the last parenthesis.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

/** Whether a process with this pid exists, whoever owns it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The file's text, or undefined when there is none. */
export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    // A process that ends while its /proc entry is read answers ESRCH.
    if (code === 'ENOENT' || code === 'ESRCH') return undefined
    throw error
  }
}

/** Creates the file with its content in one step, so that nobody reads it half written. False when it exists. */
async function createWhole(path: string, text: string): Promise<boolean> {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  await writeFile(draft, text, { mode: 0o644 })
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  } finally {
    await rm(draft, { force: true })
  }
}

/**
 * Removes the lock file if it still is the one that was found stale; another process may have replaced it meanwhile.
 */
async function removeStale(path: string, found: string): Promise<void> {
  const aside = `${path}.stale.${process.pid}.${randomBytes(4).toString('hex')}`
  try {
    await rename(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return
  }
  const taken = await readFile(aside, 'utf8')
  if (taken === found) await rm(aside)
  else await rename(aside, path)
}

async function releaseIfMine(path: string, mine: string): Promise<void> {
  if ((await readIfPresent(path)) === mine) await rm(path, { force: true })
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value = JSON.parse(text) as Partial<Holder>
    return Number.isInteger(value.pid) ? { pid: value.pid as number, startedAt: value.startedAt ?? '' } : undefined
  } catch {
    // Not a lock of ours: locks are created whole, so it cannot be one that is being written.
    return undefined
  }
}

async function isRunning(holder: Holder): Promise<boolean> {
  if (!isAlive(holder.pid)) return false
  const startedAt = await startTimeOf(holder.pid)
  return startedAt === '' || holder.startedAt === '' || startedAt === holder.startedAt
}

function locked(what: string, pid: number | undefined) {
  const who = pid === undefined ? 'another process' : `the process with pid ${pid}`
  const stop = pid === undefined ? '' : `stop it (kill ${pid}), or `
  return dataError('DATA_DIR_LOCKED', `${what} is in use by ${who}: ${stop}set DATA_DIR to another folder`, {
    details: { dir: what, pid },
  })
}
