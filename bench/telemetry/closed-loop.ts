import { readFileSync } from 'node:fs'
import { Pool } from 'undici'
import type { Arm } from '../orders/arm.ts'
import type { ShopArm } from '../orders/shop-arm.ts'
import type { Workload } from './workload.ts'

/** What one window of an arm at its limit came to. */
export type Saturated = {
  readonly requestsPerSecond: number
  /** Of the arm's process, user and kernel, consumers included; undefined where /proc does not tell. */
  readonly cpuMicrosPerRequest: number | undefined
}

/** Clients that each wait for their answer: enough to keep one process busy, too few to overload it. */
const CLIENTS = 64
/** How Linux counts processor time, on every platform that Node runs on. */
const TICKS_PER_SECOND = 100
const DRAIN_POLL_MS = 100

export type Saturation = { readonly workload: Workload; readonly seconds: number; readonly from: number }

/**
 * Sends requests as fast as the arm answers them, then waits until all orders have come to their end, so that what
 * consumers cost is counted too and the next arm finds the machine idle. Throws on a wrong answer.
 */
export async function saturate(arm: ShopArm, { workload, seconds, from }: Saturation): Promise<Saturated> {
  const { pid } = arm
  const pool = new Pool(arm.url, { connections: CLIENTS, pipelining: 1 })
  const cpuBefore = cpuSecondsOf(pid)
  const startedAtMs = performance.now()
  const endsAtMs = startedAtMs + seconds * 1_000
  let requests = 0
  const client = async () => {
    while (performance.now() < endsAtMs) await send(pool, workload, from + requests++)
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  const elapsedMs = performance.now() - startedAtMs
  await pool.close()
  await drained(arm)
  const cpuAfter = cpuSecondsOf(pid)
  return {
    requestsPerSecond: (requests * 1_000) / elapsedMs,
    cpuMicrosPerRequest:
      cpuBefore === undefined || cpuAfter === undefined ? undefined : ((cpuAfter - cpuBefore) * 1e6) / requests,
  }
}

async function send(pool: Pool, workload: Workload, n: number): Promise<void> {
  const { method, path, headers = {}, body } = workload.request(n)
  const text = typeof body === 'object' ? JSON.stringify(body) : String(body ?? '')
  const answer = await pool.request({ method, path, headers: { ...headers }, body: text === '' ? null : text })
  const received = await answer.body.text()
  const problem = workload.verify({ status: answer.statusCode, body: received })
  if (problem !== undefined) throw new Error(`a wrong answer: ${problem}: ${received.slice(0, 200)}`)
}

async function drained(arm: Arm): Promise<void> {
  for (;;) {
    const counts = await arm.counts?.()
    if (counts === undefined || counts.final >= counts.placed) return
    await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS))
  }
}

function cpuSecondsOf(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name, in parentheses, may hold blanks: utime and stime are the 12th and 13th field after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}
