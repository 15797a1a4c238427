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

let hostCpu = readHostCpu()

/** Sets what Prometheus is told of process, container and host. Where a system does not tell, there is no series. */
export function sampleSystem(metrics: Metrics, sample: SystemSample): void {
  sampleProcess(metrics, sample)
  sampleContainer(metrics)
  sampleHost(metrics)
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
  const cpu = readHostCpu()
  if (cpu !== undefined && hostCpu !== undefined && cpu.total > hostCpu.total) {
    const busy = 1 - (cpu.idle - hostCpu.idle) / (cpu.total - hostCpu.total)
    metrics.hostCpu.series().set(Math.min(1, Math.max(0, busy)))
  }
  hostCpu = cpu
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
