import type { Metrics } from './metrics/catalog.ts'
import {
  readControlGroup,
  readDiskBytes,
  readHostCpu,
  readHostDisk,
  readHostMemory,
  readNetworkBytes,
} from './process-files.ts'
import type { InstanceSample } from './view.ts'

export type SystemSample = {
  readonly instance: InstanceSample
  readonly eventLoopDelayP50Ms: number
  readonly eventLoopDelayMaxMs: number
}

/** Sets what Prometheus is told of process, container and host. Where a system does not tell, there is no series. */
export class SystemSampler {
  readonly #metrics: Metrics
  #hostCpu = readHostCpu()

  constructor(metrics: Metrics) {
    this.#metrics = metrics
  }

  sample(now: SystemSample): void {
    sampleProcess(this.#metrics, now)
    sampleContainer(this.#metrics)
    this.#sampleHostCpu()
    sampleHost(this.#metrics)
  }

  /** Shares of a second need the second before. */
  #sampleHostCpu(): void {
    const before = this.#hostCpu
    const now = readHostCpu()
    this.#hostCpu = now
    if (now === undefined || before === undefined || now.total <= before.total) return
    const busy = 1 - (now.idle - before.idle) / (now.total - before.total)
    this.#metrics.hostCpu.series().set(Math.min(1, Math.max(0, busy)))
  }
}

function sampleProcess(metrics: Metrics, { instance, eventLoopDelayP50Ms, eventLoopDelayMaxMs }: SystemSample): void {
  const { user, system } = process.cpuUsage()
  const disk = readDiskBytes()
  const network = readNetworkBytes()
  metrics.cpuTime.series().set((user + system) / 1e6)
  metrics.memory.series().set(instance.memoryBytes)
  metrics.startTime.series().set(performance.timeOrigin / 1_000)
  metrics.heapUsed.series().set(process.memoryUsage().heapUsed)
  metrics.eventLoopDelayP50.series().set(eventLoopDelayP50Ms / 1_000)
  metrics.eventLoopDelayP99.series().set(instance.eventLoopDelayMs / 1_000)
  metrics.eventLoopDelayMax.series().set(eventLoopDelayMaxMs / 1_000)
  metrics.eventLoopUtilization.series().set(instance.eventLoopUtilization)
  if (disk !== undefined) {
    metrics.processDisk.series('read').set(disk.read)
    metrics.processDisk.series('write').set(disk.written)
  }
  if (network !== undefined) {
    metrics.networkIo.series('receive').set(network.received)
    metrics.networkIo.series('transmit').set(network.sent)
  }
}

function sampleContainer(metrics: Metrics): void {
  const { memoryBytes, memoryLimitBytes, throttledSeconds } = readControlGroup()
  if (memoryBytes !== undefined) metrics.containerMemory.series().set(memoryBytes)
  if (memoryLimitBytes !== undefined) metrics.containerMemoryLimit.series().set(memoryLimitBytes)
  if (throttledSeconds !== undefined) metrics.containerThrottled.series().set(throttledSeconds)
}

function sampleHost(metrics: Metrics): void {
  const memory = readHostMemory()
  if (memory !== undefined) {
    metrics.hostMemory.series('used').set(memory.totalBytes - memory.availableBytes)
    metrics.hostMemory.series('available').set(memory.availableBytes)
  }
  const disk = readHostDisk()
  if (disk !== undefined) {
    metrics.hostDisk.series('read').set(disk.read)
    metrics.hostDisk.series('write').set(disk.written)
  }
}
