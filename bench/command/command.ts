import { type Command, CommanderError, InvalidArgumentError } from 'commander'
import { messageOf } from '../../src/core/index.ts'
import { stopEveryProcess } from './processes.ts'

/** The command line that benches have in common: how one is read, run, bounded and ended. */
export type Bench<Options> = {
  readonly command: Command
  /** Measures and prints; resolves with the exit code. */
  readonly run: (options: Options, started: Started) => Promise<number>
  /** However it goes, a run ends by then. */
  readonly totalMsMax?: number
}

/** What a run has started: all of it is ended with the run, the last first, also by a signal. */
export type Started = {
  add<Part extends Stoppable>(starting: Promise<Part>): Promise<Part>
}

type Stoppable = { stop(): Promise<unknown> }

const TOTAL_MS_MAX = 40 * 60_000

export async function runBench<Options>(bench: Bench<Options>, args: readonly string[]): Promise<number> {
  let options: Options
  try {
    options = bench.command.exitOverride().parse(args, { from: 'user' }).opts() as Options
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    throw error
  }
  const parts = new Parts()
  const exit = () => {
    note('ending what was started')
    void Promise.allSettled([parts.stop(), stopEveryProcess()]).then(() => process.exit(1))
  }
  process.once('SIGINT', exit)
  process.once('SIGTERM', exit)
  const bound = setTimeout(exit, bench.totalMsMax ?? TOTAL_MS_MAX)
  try {
    return await bench.run(options, parts)
  } finally {
    clearTimeout(bound)
    await parts.stop()
    process.off('SIGINT', exit)
    process.off('SIGTERM', exit)
  }
}

/** Ends also what is still starting; when that fails instead, it has removed what it left itself. */
class Parts implements Started {
  private readonly starting: Promise<Stoppable>[] = []

  async add<Part extends Stoppable>(starting: Promise<Part>): Promise<Part> {
    this.starting.push(starting)
    return await starting
  }

  async stop(): Promise<void> {
    for (const starting of this.starting.splice(0).reverse()) {
      const part = await starting.catch(() => undefined)
      // One that cannot be ended leaves none of the others running, and hides no failure of the run.
      await part?.stop().catch((error: unknown) => note(`a part of the run did not end: ${messageOf(error)}`))
    }
  }
}

/** For `argParser`: a whole number of 1 or more. */
export function positive(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number of 1 or more.')
  return value
}

/** For `argParser`: names with commas between them, and the option may be repeated. */
export function among<Name extends string>(names: readonly Name[]) {
  return (text: string, before: readonly Name[] | undefined): readonly Name[] => {
    const chosen = text.split(',').map((one) => names.find((name) => name === one.trim()))
    if (chosen.includes(undefined)) throw new InvalidArgumentError(`Each must be one of ${names.join(', ')}.`)
    return [...new Set([...(before ?? []), ...chosen.filter((name) => name !== undefined)])]
  }
}

/** Progress, which is no result. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** Each round begins with another one, so that none has the best place each time. */
export async function inTurns<Arm>(
  arms: readonly Arm[],
  rounds: number,
  run: (arm: Arm, round: number) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < arms.length; turn++) {
      const arm = arms[(turn + round) % arms.length]
      if (arm !== undefined) await run(arm, round)
    }
  }
}
