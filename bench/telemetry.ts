import { Command, Option } from 'commander'
import { inTurns, note, positive, runBench, type Started } from './command/command.ts'
import { machineOf } from './command/machine.ts'
import { roundedSpread, type Spread, spreadOf } from './command/spread.ts'
import { type ShopArm, startGroundswellArm } from './orders/shop-arm.ts'
import { type Saturated, saturate } from './telemetry/closed-loop.ts'
import { recordCost } from './telemetry/record-cost.ts'
import { WORKLOAD_NAMES, WORKLOADS, type WorkloadName } from './telemetry/workload.ts'

/**
 * What does telemetry cost? The whole shop, once for each setting of TELEMETRY, each with its own PostgreSQL; they
 * take turns within each round, in another order each time. Of each round the ratio to `off` is taken, in requests per
 * second and in processor time per request, which a noisy machine disturbs less; medians with their spread.
 */
export function run(args: readonly string[]): Promise<number> {
  return runBench<Options>({ command: commandLine(), run: measureSettings }, args)
}

async function measureSettings(options: Options, started: Started): Promise<number> {
  const arms: Measured[] = []
  for (const setting of new Set<Setting>(['off', ...options.arm])) {
    note(`${setting}: starting`)
    const settings = { users: 200, skus: 50, topology: 'one', env: { TELEMETRY: setting }, log: note } as const
    arms.push({ setting, arm: await started.add(startGroundswellArm(settings)), windows: [], sent: 0 })
  }
  await measure(arms, options)
  const machine = machineOf(Object.assign({}, ...arms.map(({ arm }) => arm.facts)))
  console.log(JSON.stringify({ record: await recordCost(), machine, ...judge(arms) }, null, 2))
  return 0
}

const SETTINGS = ['off', 'metrics', 'traces'] as const
type Setting = (typeof SETTINGS)[number]

type Options = {
  readonly arm: readonly Setting[]
  readonly request: WorkloadName
  readonly rounds: number
  readonly seconds: number
}

type Measured = { readonly setting: Setting; readonly arm: ShopArm; readonly windows: Saturated[]; sent: number }

/** Until the compiler has seen everything. */
const WARM_SECONDS = 3

async function measure(arms: readonly Measured[], options: Options): Promise<void> {
  const { rounds } = options
  for (const measured of arms) await runWindow(measured, { ...options, seconds: WARM_SECONDS })
  await inTurns(arms, rounds, async (measured, round) => {
    const window = await runWindow(measured, options)
    measured.windows.push(window)
    const cpu = window.cpuMicrosPerRequest?.toFixed(0) ?? '?'
    note(
      `round ${round + 1} of ${rounds}, ${measured.setting}: ${window.requestsPerSecond.toFixed(0)}/s, ${cpu} µs CPU`,
    )
  })
}

async function runWindow(measured: Measured, { request, seconds }: Options): Promise<Saturated> {
  const workload = WORKLOADS[request](measured.arm)
  const window = await saturate(measured.arm, { workload, seconds, from: measured.sent })
  measured.sent += Math.ceil(window.requestsPerSecond * seconds)
  return window
}

type Judged = {
  readonly arms: Readonly<Record<string, { readonly requestsPerSecond: Spread; readonly cpuMicrosPerRequest: Spread }>>
  /** Of each round, the arm by `off`: 1 is free, 0.98 of throughput and 1.02 of processor time are 2 %. */
  readonly ratios: Readonly<Record<string, { readonly throughput: Spread; readonly cpu: Spread }>>
}

function judge(arms: readonly Measured[]): Judged {
  const base = arms[0]?.windows ?? []
  const entries = arms.map(({ setting, windows }) => {
    const throughput = windows.map((window) => window.requestsPerSecond)
    const cpu = windows.map((window) => window.cpuMicrosPerRequest ?? Number.NaN)
    return [setting, { requestsPerSecond: rounded(throughput, 0), cpuMicrosPerRequest: rounded(cpu, 0) }] as const
  })
  const ratios = arms.slice(1).map(({ setting, windows }) => {
    const paired = (read: (window: Saturated) => number) =>
      windows.map((window, round) => read(window) / read(base[round] ?? window))
    const throughput = paired((window) => window.requestsPerSecond)
    const cpu = paired((window) => window.cpuMicrosPerRequest ?? Number.NaN)
    return [`${setting} / off`, { throughput: rounded(throughput, 3), cpu: rounded(cpu, 3) }] as const
  })
  return { arms: Object.fromEntries(entries), ratios: Object.fromEntries(ratios) }
}

function rounded(values: readonly number[], digits: number): Spread {
  return roundedSpread(spreadOf(values), digits)
}

function commandLine(): Command {
  return new Command('bench telemetry')
    .description(
      'What telemetry costs: requests per second and processor time of each, with it and without, in one run.',
    )
    .addOption(
      new Option('--arm <names...>', 'settings of TELEMETRY to compare with off')
        .choices(SETTINGS)
        .default(['metrics', 'traces']),
    )
    .addOption(
      new Option('--request <what>', 'a read of a product, or an order with all that its consumers do')
        .choices(WORKLOAD_NAMES)
        .default('product'),
    )
    .addOption(new Option('--rounds <number>', 'windows of each arm').default(7).argParser(positive))
    .addOption(new Option('--seconds <number>', 'length of a window').default(8).argParser(positive))
    .addHelpText('after', '\nExample:\n  $ npm run bench -- telemetry --arm metrics --rounds 5')
}
