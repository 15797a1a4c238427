import { cpus, totalmem } from 'node:os'

/** What figures depend on. */
export type Machine = Readonly<Record<string, string | number>>

/** This machine, and what is worth knowing of what was measured on it. */
export function machineOf(facts: Machine = {}): Machine {
  const processors = cpus()
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    ...facts,
  }
}

export function machineLine(machine: Machine): string {
  return Object.entries(machine)
    .map(([name, value]) => `${name} ${value}`)
    .join(' · ')
}
