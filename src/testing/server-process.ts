import type { ChildProcess } from 'node:child_process'
import { until } from './until.ts'

/** A server of a test's own, as a process that the test may break and start again. */
export type ServerProcess = {
  /** Ends it at once, as a crash does. Idempotent. */
  kill(): Promise<void>
  /** Stops it from answering, its connections open, until it is resumed. */
  pause(): void
  resume(): void
  /** Starts it again with what it had; ends it before when it still runs. */
  restart(): Promise<void>
}

/** `start` resolves with a process that is ready: see `whenReady`. */
export async function startServerProcess(start: () => Promise<ChildProcess>): Promise<ServerProcess> {
  let child = await start()
  const kill = () => endProcess(child)
  return {
    kill,
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async restart() {
      await kill()
      child = await start()
    },
  }
}

/** Resolves with the process when the condition holds. When it ends before, or takes too long, kills it and rejects. */
export async function whenReady(
  child: ChildProcess,
  isReady: () => boolean | Promise<boolean>,
  { name, timeoutMs }: { readonly name: string; readonly timeoutMs?: number },
): Promise<ChildProcess> {
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`${name} ended with ${code ?? signal}`)))
  })
  ended.catch(() => undefined)
  const bounds = timeoutMs === undefined ? {} : { timeoutMs }
  try {
    await Promise.race([until(isReady, { ...bounds, what: `${name} is ready` }), ended])
    return child
  } catch (error) {
    await endProcess(child)
    throw error
  }
}

/** Kills it, and resolves when it is gone; at once when it already is, or never was. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
}
