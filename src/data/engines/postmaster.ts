import { readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { delay, type StopOptions, systemClock } from '../../core/index.ts'
import { isAlive, readIfPresent } from './data-dir.ts'

/** A running PostgreSQL server as its `postmaster.pid` tells. Source: PostgreSQL, src/include/utils/pidfile.h. */
export type Postmaster = { readonly pid: number; readonly port: number; readonly status: string }

const POLL_MS = 10
/** Time that an immediate shutdown may take: it writes nothing, it only ends processes. */
const IMMEDIATE_MS = 5_000

/**
 * The server that runs on `dataDir`, or undefined when the file is missing or names a process that is something else.
 */
export async function readPostmaster(dataDir: string): Promise<Postmaster | undefined> {
  const lines = (await readIfPresent(join(dataDir, 'postmaster.pid')))?.split('\n')
  const pid = Number(lines?.[0])
  if (lines === undefined || !Number.isInteger(pid) || pid <= 0 || !isAlive(pid)) return undefined
  if (lines[1] !== dataDir || !(await runsIn(pid, dataDir))) return undefined
  return { pid, port: Number(lines[3]), status: (lines[7] ?? '').trim() }
}

/** Fast shutdown; when it is not over by the deadline, immediate shutdown, which the next start recovers from. */
export async function stopPostmaster(pid: number, options: StopOptions): Promise<void> {
  signal(pid, 'SIGINT')
  if (await goneBy(pid, options.deadlineAtMs)) return
  signal(pid, 'SIGQUIT')
  if (await goneBy(pid, systemClock.now() + IMMEDIATE_MS)) return
  throw new Error(
    `PostgreSQL with pid ${pid} ignores SIGQUIT; it is left alone, since SIGKILL would orphan its processes`,
  )
}

async function goneBy(pid: number, deadlineAtMs: number): Promise<boolean> {
  while (isAlive(pid)) {
    if (systemClock.now() >= deadlineAtMs) return false
    await delay(POLL_MS)
  }
  return true
}

function signal(pid: number, name: 'SIGINT' | 'SIGQUIT'): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** A server works in its data folder. Where /proc cannot tell, the pid file is believed. */
async function runsIn(pid: number, dataDir: string): Promise<boolean> {
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === dataDir
  } catch {
    return true
  }
}
