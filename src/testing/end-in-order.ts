import type { ChildProcess } from 'node:child_process'

/** Longer than a broker takes that has little to write. */
const STOP_MS_MAX = 15_000

/** Asks a server to stop, which then writes what it has, and kills it when it takes too long. */
export async function endInOrder(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
  await exited
  clearTimeout(timer)
}
