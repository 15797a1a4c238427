import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { ConnectionDrain, stopListening } from '../src/core/index.ts'

/**
 * A target of an upstream in a process of its own, which can be killed as an out-of-memory killer would, and restarted
 * on its port. Started by itself this file is that process; its argument is the port, 0 for a free one.
 */
export class TargetProcess {
  port = 0
  #child: ChildProcess | undefined

  get place(): string {
    return `127.0.0.1:${this.port}`
  }

  /** On the port that it had before, if it ran before. */
  async start(): Promise<this> {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), String(this.port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#child = child
    this.port = await new Promise<number>((resolve, reject) => {
      child.stdout.once('data', (text: Buffer) => resolve(Number(text)))
      child.once('exit', (code, signal) => reject(new Error(`a target ended before it listened: ${code ?? signal}`)))
    })
    return this
  }

  /** Resolves with the exit code, or with the signal that ended it. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | NodeJS.Signals | null> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null
    const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
      child.once('exit', (code, by) => resolve(code ?? by))
    })
    child.kill(signal)
    return ended
  }
}

/** Tells which process answered. */
async function serve(port: number): Promise<void> {
  const server = createServer((_request, response) => void response.end(String(process.pid)))
  const drain = new ConnectionDrain(server)
  server.listen(port, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`))
  process.once('SIGTERM', () => void drain.end(stopListening(server), { deadlineAtMs: Date.now() + 20_000 }))
}

if (import.meta.main) await serve(Number(process.argv[2]))
