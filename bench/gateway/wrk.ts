import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Arm } from './arm.ts'
import { ANSWER_TEXT, API_KEY, PATH } from './workload.ts'

/** What one window of an arm at its limit came to. */
export type Window = {
  readonly requestsPerSecond: number
  /** Of the process under test, kernel included; undefined where /proc does not tell. */
  readonly cpuMicrosPerRequest: number | undefined
  readonly p50Ms: number
  readonly p99Ms: number
  readonly requests: number
}

export type Load = {
  readonly seconds: number
  readonly connections: number
  /** How many connections may break or time out, as they do when the machine is suspended for a while. Default 0. */
  readonly brokenMax?: number
}

const run = promisify(execFile)
const REPORT_SCRIPT = fileURLToPath(new URL('report.lua', import.meta.url))
/** How Linux counts processor time, on every platform that Node runs on. */
const TICKS_PER_SECOND = 100

/** Whether a program can be started here. */
export async function isInstalled(program: string): Promise<boolean> {
  return run(program, ['-v']).then(
    () => true,
    // wrk has no flag that succeeds.
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  )
}

/**
 * Sends requests as fast as the arm answers them, from one thread. One answer is read whole and compared before and one
 * after; between them every status must be 200 and every answer as long as it should be. Throws otherwise, and when
 * more connections break than may.
 */
export async function saturate(arm: Arm, { seconds, connections, brokenMax = 0 }: Load): Promise<Window> {
  await verify(arm)
  const cpuBefore = cpuSecondsOf(arm.pids)
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', REPORT_SCRIPT]
  const { stdout } = await run('wrk', [...args, '-H', `apikey: ${API_KEY}`, `${arm.url}${PATH}`])
  const cpuAfter = cpuSecondsOf(arm.pids)
  const report = reportIn(stdout)
  const isWhole = report.bytes >= report.requests * ANSWER_TEXT.length
  if (report.refused > 0 || report.broken > brokenMax || report.requests === 0 || !isWhole) {
    throw new Error(`${arm.name} gave wrong answers:\n${stdout}`)
  }
  await verify(arm)
  const { requests } = report
  return {
    requests,
    requestsPerSecond: (requests * 1e6) / report.durationUs,
    cpuMicrosPerRequest:
      cpuBefore === undefined || cpuAfter === undefined ? undefined : ((cpuAfter - cpuBefore) * 1e6) / requests,
    p50Ms: report.p50Us / 1_000,
    p99Ms: report.p99Us / 1_000,
  }
}

async function verify(arm: Arm): Promise<void> {
  const answer = await fetch(`${arm.url}${PATH}`, { headers: { apikey: API_KEY } })
  const text = await answer.text()
  if (answer.status === 200 && text === ANSWER_TEXT) return
  throw new Error(`${arm.name} gave a wrong answer: ${answer.status} ${text.slice(0, 200)}`)
}

type Report = Record<'requests' | 'durationUs' | 'bytes' | 'p50Us' | 'p99Us' | 'refused' | 'broken', number>

function reportIn(output: string): Report {
  const line = /^REPORT (\{.*\})$/m.exec(output)?.[1]
  if (line === undefined) throw new Error(`wrk did not report:\n${output}`)
  return JSON.parse(line) as Report
}

function cpuSecondsOf(pids: readonly number[]): number | undefined {
  if (process.platform !== 'linux') return undefined
  return pids.map(cpuSecondsOfOne).reduce((sum, seconds) => sum + seconds, 0)
}

function cpuSecondsOfOne(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name, in parentheses, may hold blanks: utime and stime are the 12th and 13th field after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}
