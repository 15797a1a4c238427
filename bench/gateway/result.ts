import { columns } from '../command/columns.ts'
import { roundedSpread, type Spread, spreadOf } from '../command/spread.ts'
import type { ArmName } from './arm.ts'
import type { Window } from './wrk.ts'

export type Measured = { readonly name: ArmName; readonly windows: readonly Window[] }

export type ArmResult = {
  readonly arm: ArmName
  readonly requestsPerSecond: Spread
  readonly cpuMicrosPerRequest: Spread
  readonly p50Ms: Spread
  readonly p99Ms: Spread
}

/** `of` by `by` in requests per second, each round by itself; `least` is what design demands, where it does. */
export type Ratio = { readonly of: ArmName; readonly by: ArmName; readonly least?: number; readonly value: Spread }

const RATIOS: readonly Omit<Ratio, 'value'>[] = [
  { of: 'in-process', by: 'bare', least: 0.5 },
  { of: 'proxied', by: 'fastify-http-proxy', least: 2 },
  { of: 'proxied', by: 'nginx', least: 0.6 },
  { of: 'proxied', by: 'http-proxy' },
  { of: 'proxied', by: 'bare' },
]

export function armResult({ name, windows }: Measured): ArmResult {
  return {
    arm: name,
    requestsPerSecond: rounded(windows, (window) => window.requestsPerSecond, 0),
    cpuMicrosPerRequest: rounded(windows, (window) => window.cpuMicrosPerRequest ?? Number.NaN, 1),
    p50Ms: rounded(windows, (window) => window.p50Ms, 2),
    p99Ms: rounded(windows, (window) => window.p99Ms, 2),
  }
}

/** Rounds are paired: what slows the machine down for a while slows both. */
export function ratiosOf(measured: readonly Measured[]): Ratio[] {
  const windowsOf = (name: ArmName) => measured.find((one) => one.name === name)?.windows ?? []
  return RATIOS.flatMap((ratio) => {
    const by = windowsOf(ratio.by)
    const pairs = windowsOf(ratio.of).map((window, round) => ({ window, base: by[round] }))
    const values = pairs.flatMap(({ window, base }) =>
      base === undefined ? [] : window.requestsPerSecond / base.requestsPerSecond,
    )
    return values.length === 0 ? [] : [{ ...ratio, value: roundedSpread(spreadOf(values), 2) }]
  })
}

export function armLines(arms: readonly ArmResult[], ratios: readonly Ratio[]): string[] {
  const rows = arms.map((arm) => [
    arm.arm,
    text(arm.requestsPerSecond),
    text(arm.cpuMicrosPerRequest),
    text(arm.p50Ms),
    text(arm.p99Ms),
  ])
  return [
    ...columns([['ARM', 'REQUESTS/S', 'CPU µS/REQUEST', 'P50 MS', 'P99 MS'], ...rows]),
    '',
    ...ratios.map(
      ({ of, by, least, value }) =>
        `${of} / ${by}: ${text(value)}${least === undefined ? '' : `, wanted: ${least} or more`}`,
    ),
  ]
}

export function text({ median, min, max }: Spread): string {
  return `${median} (${min} to ${max})`
}

function rounded(windows: readonly Window[], read: (window: Window) => number, digits: number): Spread {
  return roundedSpread(spreadOf(windows.map(read)), digits)
}
