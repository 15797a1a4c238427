import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A process of an arm. It is ended by its own pid, and by nothing broader. */
export type ArmProcess = {
  readonly pid: number
  /** Everything it has printed. */
  readonly output: () => string
  /** The first group of the first match in the output. Throws when there is none. */
  readonly find: (pattern: RegExp) => string
  stop(): Promise<void>
}

const CLI = fileURLToPath(new URL('../../bin/groundswell.js', import.meta.url))
const READY_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 30_000

const running = new Set<{ stop(): Promise<void> }>()

/** Ends whatever is still running, e.g. of an arm that was interrupted while it started. */
export async function stopEveryProcess(): Promise<void> {
  await Promise.all([...running].map((one) => one.stop()))
}

/** Runs the command line and resolves when it prints a line that begins with `ready`. */
export function startCommand(args: readonly string[], env: Readonly<Record<string, string>>): Promise<ArmProcess> {
  return startNode([CLI, ...args], env)
}

/** Runs a script with this Node and resolves when it prints a line that begins with `ready`. */
export async function startNode(args: readonly string[], env: Readonly<Record<string, string>>): Promise<ArmProcess> {
  // No terminal signal reaches it: the bench ends its processes itself, in its order.
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const stop = () => stopProcess(child, ended)
  const entry = { stop }
  running.add(entry)
  void ended.then(() => running.delete(entry))
  let output = ''
  const find = (pattern: RegExp) => {
    const found = pattern.exec(output)?.[1]
    if (found === undefined) throw new Error(`${args.join(' ')} did not print ${pattern}:\n${output}`)
    return found
  }
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`${args.join(' ')} ${why}:\n${output}`))
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      fail('was not ready in time')
    }, READY_TIMEOUT_MS)
    const read = (chunk: Buffer) => {
      output += chunk.toString('utf8')
      if (!/^ready/m.test(output)) return
      clearTimeout(timer)
      resolve()
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    void ended.then(() => {
      clearTimeout(timer)
      fail('ended before it was ready')
    })
  })
  return { pid: child.pid ?? 0, output: () => output, find, stop }
}

async function stopProcess(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  await ended
  clearTimeout(timer)
}
