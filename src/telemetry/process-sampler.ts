import { availableParallelism } from 'node:os'
import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { readDiskBytes, readNetworkBytes } from './process-files.ts'
import type { InstanceSample } from './view.ts'

/** What one process used since it was last asked, and how its event loop fared. */
export type ProcessSample = Omit<InstanceSample, 'instance' | 'services'> & {
  readonly eventLoopDelayP50Ms: number
  readonly eventLoopDelayMaxMs: number
}

/** Milliseconds between looks at the event loop: OpenTelemetry's own, and under 0.1 % of a core. */
const DELAY_RESOLUTION_MS = 10
const NANOS_PER_MS = 1e6
const MICROS_PER_MS = 1_000

/** Asked once a second. Disk and network are 0 on systems that do not tell (all but Linux). */
export class ProcessSampler {
  readonly #delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })
  #loop: EventLoopUtilization = performance.eventLoopUtilization()
  #cpu = process.cpuUsage()
  #atMs = performance.now()
  #disk = readDiskBytes()
  #network = readNetworkBytes()

  constructor() {
    this.#delay.enable()
  }

  stop(): void {
    this.#delay.disable()
  }

  sample(): ProcessSample {
    const nowMs = performance.now()
    const elapsedMs = Math.max(1, nowMs - this.#atMs)
    const perSecond = (now: number | undefined, before: number | undefined) =>
      now === undefined || before === undefined ? 0 : (Math.max(0, now - before) * 1_000) / elapsedMs
    const cpu = process.cpuUsage(this.#cpu)
    const loop = performance.eventLoopUtilization(this.#loop)
    const disk = readDiskBytes()
    const network = readNetworkBytes()
    const sample: ProcessSample = {
      cpuPercent: Math.min(100, ((cpu.user + cpu.system) / MICROS_PER_MS / elapsedMs / availableParallelism()) * 100),
      memoryBytes: process.memoryUsage.rss(),
      ...this.#delays(),
      eventLoopUtilization: loop.utilization,
      diskReadBytes: perSecond(disk?.read, this.#disk?.read),
      diskWriteBytes: perSecond(disk?.written, this.#disk?.written),
      networkInBytes: perSecond(network?.received, this.#network?.received),
      networkOutBytes: perSecond(network?.sent, this.#network?.sent),
    }
    this.#cpu = process.cpuUsage()
    this.#loop = performance.eventLoopUtilization()
    this.#atMs = nowMs
    this.#disk = disk
    this.#network = network
    return sample
  }

  /** What a look was late by: the timer's own interval is no delay. */
  #delays() {
    const late = (nanos: number) => Math.max(0, nanos / NANOS_PER_MS - DELAY_RESOLUTION_MS)
    const isEmpty = this.#delay.count === 0
    const delays = {
      eventLoopDelayMs: isEmpty ? 0 : late(this.#delay.percentile(99)),
      eventLoopDelayP50Ms: isEmpty ? 0 : late(this.#delay.percentile(50)),
      eventLoopDelayMaxMs: isEmpty ? 0 : late(this.#delay.max),
    }
    this.#delay.reset()
    return delays
  }
}
