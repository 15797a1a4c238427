import { spreadOf } from '../command/spread.ts'
import type { GatewayArm } from './gateway-arms.ts'
import { saturate } from './wrk.ts'

export type MemoryResult = {
  readonly arm: string
  readonly requests: number
  /** After each tenth of the requests, as the process itself tells in its metrics. */
  readonly residentMiB: readonly number[]
  readonly heapMiB: readonly number[]
  /** How much more of it is resident in the last third, on the median, than in the third before. */
  readonly growthPercent: number
}

export type MemoryOptions = {
  readonly requests: number
  readonly connections: number
  readonly log: (line: string) => void
}

const WINDOW_SECONDS = 5
const SAMPLES = 10

/** Sends so many requests, and looks at the memory of the gateway's process after each tenth of them. */
export async function measureMemory(arm: GatewayArm, options: MemoryOptions): Promise<MemoryResult> {
  const { connections, log } = options
  const residentMiB: number[] = []
  const heapMiB: number[] = []
  // So long a run may see its machine suspended, which says nothing about memory: every connection may then break.
  const load = { seconds: WINDOW_SECONDS, connections, brokenMax: 2 * connections }
  let requests = 0
  for (let sample = 1; sample <= SAMPLES; sample++) {
    const goal = (options.requests * sample) / SAMPLES
    while (requests < goal) requests += (await saturate(arm, load)).requests
    const { resident, heap } = await memoryOf(arm)
    residentMiB.push(resident)
    heapMiB.push(heap)
    log(`${arm.name}: ${requests} of ${options.requests} requests, ${resident} MiB resident, ${heap} MiB of heap`)
  }
  return { arm: arm.name, requests, residentMiB, heapMiB, growthPercent: growthOf(residentMiB) }
}

async function memoryOf({ adminUrl }: GatewayArm): Promise<{ readonly resident: number; readonly heap: number }> {
  const page = await (await fetch(`${adminUrl}/metrics`)).text()
  return { resident: mebibytes(page, RESIDENT), heap: mebibytes(page, HEAP) }
}

const RESIDENT = /^process_resident_memory_bytes\S* (\S+)$/m
const HEAP = /^nodejs_heap_used_bytes\S* (\S+)$/m

function mebibytes(page: string, pattern: RegExp): number {
  const bytes = pattern.exec(page)?.[1]
  if (bytes === undefined) throw new Error(`the gateway's metrics do not have ${pattern}:\n${page}`)
  return Math.round(Number(bytes) / 2 ** 20)
}

function growthOf(values: readonly number[]): number {
  const third = Math.max(1, Math.floor(values.length / 3))
  const before = spreadOf(values.slice(-2 * third, -third)).median
  const last = spreadOf(values.slice(-third)).median
  return before === 0 ? 0 : Number(((last / before - 1) * 100).toFixed(1))
}
