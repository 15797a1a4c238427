import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, watch } from 'node:fs'
import { dirname, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runtimeError } from '../runtime/index.ts'
import { DEV_QUIET_MS } from './limits.ts'
import { note, print } from './output.ts'
import { type BrokerName, startOwnBroker } from './own-broker.ts'
import { aborted, stopRequested } from './signals.ts'

export type DevArguments = {
  /** A broker to start beside it, which stays when the application is restarted. */
  readonly events?: BrokerName
}

const CLI = fileURLToPath(new URL('../../bin/groundswell.js', import.meta.url))

/**
 * `groundswell dev`: runs `groundswell start`, and again when a file in the application's folder changes. Not by Node's
 * watch mode, which knows neither migrations nor a file that it could not compile.
 *
 *     running ─a change→ draining → running;  running ─it ends by itself→ waiting ─a change→ running
 *
 * Resolves with 0 once it is asked to stop, and the application has.
 */
export async function dev(path: string, { events }: DevArguments): Promise<number> {
  if (!existsSync(path)) throw runtimeError('RUNTIME_APP_INVALID', `${resolve(path)} does not exist`)
  const signal = stopRequested(note)
  const broker =
    events === undefined ? undefined : await startOwnBroker(events, { env: process.env, log: print, signal })
  const env = broker === undefined ? process.env : { ...process.env, EVENTS_URL: broker.url }
  const changes = new Changes(dirname(resolve(path)))
  const ended = Promise.race([aborted(signal), ...(broker === undefined ? [] : [broker.failed])])
  ended.catch(() => 'heard of by whoever waits for it: between two waits nobody does')
  try {
    while (!signal.aborted) {
      const child = spawn(process.execPath, [CLI, 'start', path], { stdio: 'inherit', env })
      const exited = once(child, 'exit')
      try {
        const file = changes.next()
        await Promise.race([file, ended, exited])
        if (!signal.aborted && isOver(child)) note('waiting for a change of its files')
        await Promise.race([file, ended])
        if (!signal.aborted) note(`${await file} has changed: starting again`)
      } finally {
        if (!isOver(child)) child.kill('SIGTERM')
        if (!isOver(child)) await exited
      }
    }
    return 0
  } finally {
    changes.close()
    await broker?.stop()
  }
}

function isOver({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

/** Changes of files in a folder, however deep; not those of installed packages, nor of what begins with a dot. */
class Changes {
  readonly #watcher: ReturnType<typeof watch>
  #timer: NodeJS.Timeout | undefined
  #changed = Promise.withResolvers<string>()

  constructor(folder: string) {
    this.#watcher = watch(folder, { recursive: true }, (_event, name) => {
      if (name === null || name.split(sep).some((part) => part.startsWith('.') || part === 'node_modules')) return
      clearTimeout(this.#timer)
      // Editors and version control write more than once, and more than one file.
      this.#timer = setTimeout(() => this.#changed.resolve(name), DEV_QUIET_MS)
    })
  }

  /** The file of the next change from now on. */
  next(): Promise<string> {
    this.#changed = Promise.withResolvers()
    return this.#changed.promise
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#watcher.close()
  }
}
