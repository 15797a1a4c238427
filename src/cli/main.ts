import { CommanderError } from 'commander'
import { describeFailure, note } from './output.ts'
import { createProgram } from './program.ts'
import { requestStop } from './signals.ts'

/** Exit codes: 0 done, 1 an operating error, 2 the command line makes no sense. */
const FAILED = 1
const USAGE = 2

/** Runs one command and ends the process with its exit code. */
export async function main(args: readonly string[]): Promise<void> {
  // A reader that has seen enough (`groundswell … | head`) is no error, and a terminal that was closed is not ours.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (!requestStop()) process.exit(error.code === 'EPIPE' ? 0 : FAILED)
    })
  }
  await endProcess(await run(args))
}

async function run(args: readonly string[]): Promise<number> {
  let code = 0
  const exit = (exitCode: number) => {
    code = exitCode
  }
  const program = createProgram(exit, await environmentFor(args))
  try {
    await program.parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    // Commander has printed its message already; help and version that were asked for are no failure.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE
    note(describeFailure(error))
    return FAILED
  }
}

/** The variables that the runtime reads, for `start --help`: only that waits for the runtime to load. */
async function environmentFor(args: readonly string[]): Promise<readonly string[]> {
  const isAsked = args.includes('start') && args.some((word) => ['-h', '--help', 'help'].includes(word))
  return isAsked ? (await import('./environment.ts')).environmentLines() : []
}

/**
 * Ends explicitly, once everything is written: a handle that a failed start left open must not keep the process alive.
 */
async function endProcess(code: number): Promise<void> {
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))))
  process.exit(code)
}
