import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readOptions } from '../runtime/index.ts'
import { type LoadProgress, loadScenario, progressLine, reportLines, runScenario } from '../testing/index.ts'
import { note, print, printJson } from './output.ts'
import { stopRequested } from './signals.ts'

export type LoadArguments = {
  readonly rate?: number
  readonly duration?: number
  readonly arrivals?: 'fixed' | 'poisson'
  readonly burst?: number
  readonly seed?: number
  readonly url?: string
  readonly adminUrl?: string
  readonly connections?: number
  readonly timeout?: number
  readonly set?: Readonly<Record<string, string>>
  readonly json?: boolean
}

/**
 * `groundswell load`: runs a scenario. Exit code 1 when the scenario found a problem, or no answer was right; a system
 * that answers some requests with errors under load is a result, and the table shows it.
 */
export async function load(path: string, given: LoadArguments): Promise<number> {
  const { gateway, admin } = readOptions(process.env)
  const scenario = await loadScenario(pathToFileURL(resolve(path)))
  const { report, conclusion } = await runScenario(scenario, {
    url: given.url ?? `http://127.0.0.1:${gateway.port}`,
    adminUrl: given.adminUrl ?? `http://127.0.0.1:${admin.port}`,
    settings: given.set ?? {},
    shape: shapeOf(given),
    log: (line) => note(CLEAR_LINE + line),
    signal: stopRequested(note),
    onProgress: progressPrinter(),
    ...(given.seed === undefined ? {} : { seed: given.seed }),
    ...(given.connections === undefined ? {} : { connectionsMax: given.connections }),
    ...(given.timeout === undefined ? {} : { timeoutMs: given.timeout }),
  })
  process.stderr.write(CLEAR_LINE)
  if (given.json) printJson({ scenario: scenario.name, report, conclusion })
  else {
    for (const line of reportLines(report)) print(line)
    for (const [name, value] of Object.entries(conclusion?.figures ?? {})) print(`${name.padEnd(28)}${value}`)
    for (const problem of conclusion?.problems ?? []) note(`problem: ${problem}`)
  }
  return (conclusion?.problems.length ?? 0) > 0 || report.succeeded === 0 ? 1 : 0
}

function shapeOf({ rate, duration, arrivals, burst }: LoadArguments) {
  return {
    ...(rate === undefined ? {} : { rate }),
    ...(duration === undefined ? {} : { durationMs: duration }),
    ...(arrivals === undefined ? {} : { arrivals }),
    ...(burst === undefined ? {} : { burst }),
  }
}

/** Takes back the line of progress, on a terminal. */
const CLEAR_LINE = process.stderr.isTTY ? '\r\u001b[K' : ''

/** One line that is written over on a terminal, a line a second elsewhere. */
function progressPrinter(): (progress: LoadProgress) => void {
  let before: LoadProgress | undefined
  return (progress) => {
    const line = progressLine(progress, before)
    before = progress
    if (process.stderr.isTTY) process.stderr.write(CLEAR_LINE + line)
    else note(line)
  }
}
