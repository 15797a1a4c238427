import { readFileSync } from 'node:fs'

/**
 * What Linux tells in files of /proc and of cgroup v2. They are in memory, so that reading them at once costs a few
 * microseconds, less than a turn through the thread pool. Undefined where there is no such file.
 */
export function readDiskBytes(): { readonly read: number; readonly written: number } | undefined {
  const text = read('/proc/self/io')
  const fields = text === undefined ? undefined : pairsOf(text, /^(\w+): (\d+)$/gm)
  return fields === undefined
    ? undefined
    : { read: fields.get('read_bytes') ?? 0, written: fields.get('write_bytes') ?? 0 }
}

/** Over all interfaces that the process sees but loopback: in a container its own, else the host's. */
export function readNetworkBytes(): { readonly received: number; readonly sent: number } | undefined {
  const text = read('/proc/net/dev')
  if (text === undefined) return undefined
  let received = 0
  let sent = 0
  for (const [, name, numbers] of text.matchAll(/^\s*([^\s:]+):(.*)$/gm)) {
    if (name === 'lo') continue
    const fields = (numbers ?? '').trim().split(/\s+/).map(Number)
    received += fields[0] ?? 0
    sent += fields[8] ?? 0
  }
  return { received, sent }
}

/** Time of all processors of the host since it started, in ticks: all of it, and what was idle. */
export function readHostCpu(): { readonly total: number; readonly idle: number } | undefined {
  const [, numbers] = /^cpu +(.+)$/m.exec(read('/proc/stat') ?? '') ?? []
  if (numbers === undefined) return undefined
  // user nice system idle iowait irq softirq steal: guests are counted in user already.
  const fields = numbers.split(' ').slice(0, 8).map(Number)
  return { total: fields.reduce((sum, ticks) => sum + ticks, 0), idle: (fields[3] ?? 0) + (fields[4] ?? 0) }
}

export function readHostMemory(): { readonly totalBytes: number; readonly availableBytes: number } | undefined {
  const text = read('/proc/meminfo')
  if (text === undefined) return undefined
  const fields = pairsOf(text, /^(\w+): +(\d+) kB$/gm)
  return {
    totalBytes: (fields.get('MemTotal') ?? 0) * 1_024,
    availableBytes: (fields.get('MemAvailable') ?? 0) * 1_024,
  }
}

const SECTOR_BYTES = 512
/** Whole disks: their partitions would count twice, and loop and ram are no disks. */
const DISK = /^\s*\d+\s+\d+\s+((?:sd|vd|xvd|hd)[a-z]+|nvme\d+n\d+|mmcblk\d+)\s+(.+)$/gm

/** Bytes that the disks of the host have read and written since it started. */
export function readHostDisk(): { readonly read: number; readonly written: number } | undefined {
  const text = read('/proc/diskstats')
  if (text === undefined) return undefined
  const sums = { read: 0, written: 0 }
  for (const [, , numbers] of text.matchAll(DISK)) {
    const fields = (numbers ?? '').split(/\s+/).map(Number)
    sums.read += (fields[2] ?? 0) * SECTOR_BYTES
    sums.written += (fields[6] ?? 0) * SECTOR_BYTES
  }
  return sums
}

export type ControlGroup = {
  readonly memoryBytes: number | undefined
  /** Undefined without a limit. */
  readonly memoryLimitBytes: number | undefined
  readonly throttledSeconds: number | undefined
}

/** The control group of a container, which sees its own at the root of the file system. */
export function readControlGroup(): ControlGroup {
  const throttled = pairsOf(read('/sys/fs/cgroup/cpu.stat') ?? '', /^(\w+) (\d+)$/gm).get('throttled_usec')
  return {
    memoryBytes: numberOf(read('/sys/fs/cgroup/memory.current')),
    memoryLimitBytes: numberOf(read('/sys/fs/cgroup/memory.max')),
    throttledSeconds: throttled === undefined ? undefined : throttled / 1e6,
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Another system, another version of control groups, or a container that hides it.
    if (code === 'ENOENT' || code === 'EACCES' || code === 'EPERM' || code === 'ENOTDIR') return undefined
    throw error
  }
}

/** `max` is no number: there is no limit. */
function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined
}

function pairsOf(text: string, pattern: RegExp): Map<string, number> {
  return new Map([...text.matchAll(pattern)].map(([, name, value]) => [name ?? '', Number(value)]))
}
