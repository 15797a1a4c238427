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
  /** Asks it to stop, so that it writes what it has; kills it when it takes too long. */
  endInOrder(): Promise<void>
  /** Rejects when it ends by itself. */
  readonly failed: Promise<never>
}

/** `start` resolves with a process that is ready: see `whenReady`. */
export async function startServerProcess(start: () => Promise<ChildProcess>, name: string): Promise<ServerProcess> {
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => undefined)
  const startWatched = async () => {
    const started = await start()
    started.once('exit', (code) => {
      if (code !== null) failure.reject(new Error(`${name} ended with ${code}`))
    })
    return started
  }
  let child = await startWatched()
  const kill = () => endProcess(child)
  return {
    failed: failure.promise,
    kill,
    endInOrder: () => endInOrder(child),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async restart() {
      await kill()
      child = await startWatched()
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

/** Longer than a broker takes that has little to write. */
const STOP_MS_MAX = 15_000

/** Asks a server to stop, which then writes what it has, and kills it when it takes too long. */
async function endInOrder(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
  await exited
  clearTimeout(timer)
}
