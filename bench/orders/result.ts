import { columns } from '../command/columns.ts'
import { type Machine, machineLine } from '../command/machine.ts'
import { type Spread, spreadOf } from '../command/spread.ts'
import type { ArmName, ArmSettings } from './arm.ts'
import type { Window } from './window.ts'

export type ArmResult = {
  readonly arm: ArmName
  readonly rate: number
  readonly rounds: readonly Window[]
  readonly roundsSustained: number
  readonly acceptedPerSecond: Spread
  readonly completedPerSecond: Spread
  readonly p50Ms: Spread
  readonly p99Ms: Spread
}

export type BenchResult = {
  readonly machine: Machine
  readonly topology: ArmSettings['topology']
  readonly seconds: number
  readonly arms: readonly ArmResult[]
  /** Accepted orders per second, of arms of the same run. */
  readonly ratios: Readonly<Record<string, number>>
}

export function armResult(arm: ArmName, rate: number, rounds: readonly Window[]): ArmResult {
  return {
    arm,
    rate,
    rounds,
    roundsSustained: rounds.filter((round) => round.shortfalls.length === 0).length,
    acceptedPerSecond: spreadOf(rounds.map((round) => round.acceptedPerSecond)),
    completedPerSecond: spreadOf(rounds.map((round) => round.completedPerSecond)),
    p50Ms: spreadOf(rounds.map((round) => round.p50Ms)),
    p99Ms: spreadOf(rounds.map((round) => round.p99Ms)),
  }
}

const RATIOS: readonly (readonly [of: ArmName, by: ArmName])[] = [
  ['groundswell', 'sync'],
  ['groundswell', 'bare'],
  ['sync', 'bare'],
  ['groundswell-kafka', 'groundswell'],
  ['groundswell-rabbitmq', 'groundswell'],
]

export function ratiosOf(arms: readonly ArmResult[]): Record<string, number> {
  const acceptedOf = (name: ArmName) => arms.find(({ arm }) => arm === name)?.acceptedPerSecond.median
  return Object.fromEntries(
    RATIOS.flatMap(([of, by]) => {
      const [accepted, base] = [acceptedOf(of), acceptedOf(by)]
      return accepted && base ? [[`${of} / ${by}`, Math.round((accepted / base) * 1_000) / 1_000]] : []
    }),
  )
}

export function resultLines({ machine, topology, seconds, arms, ratios }: BenchResult): string[] {
  const head = ['ARM', 'ACCEPTED/S', 'COMPLETED/S', 'P50 MS', 'P99 MS', 'SUSTAINED']
  const rows = arms.map((arm) => [
    arm.arm,
    spread(arm.acceptedPerSecond, 0),
    arm.arm === 'bare' ? '-' : spread(arm.completedPerSecond, 0),
    spread(arm.p50Ms, 2),
    spread(arm.p99Ms, 2),
    `${arm.roundsSustained} of ${arm.rounds.length}`,
  ])
  return [
    ...columns([head, ...rows]),
    '',
    `median (least to most) of the rounds of ${seconds} s; topology: ${topology}; the generator shares the machine`,
    ...Object.entries(ratios).map(([name, value]) => `${name}: ${value}`),
    machineLine(machine),
  ]
}

function spread({ median, min, max }: Spread, digits: number): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`
}
