import { Command, Option } from 'commander'
import { EVENT_ENGINES, type EventEngine } from './command/broker.ts'
import { among, inTurns, note, positive, runBench, type Started } from './command/command.ts'
import { machineOf } from './command/machine.ts'
import { ARM_KINDS, type Arm, type ArmKind, type ArmName, type ArmSettings } from './orders/arm.ts'
import { startBareArm } from './orders/bare-arm.ts'
import { measureGenerator } from './orders/load-generator.ts'
import { armResult, type BenchResult, ratiosOf, resultLines } from './orders/result.ts'
import { describeWindow, findSustainedRate, warmUp } from './orders/search.ts'
import { startGroundswellArm, startSyncArm } from './orders/shop-arm.ts'
import { runWindow, type Window } from './orders/window.ts'

/**
 * How many durable orders per second, accepted and brought to their end? Arms in one run: the shop, once for each
 * engine of events that is asked for, the same shop done synchronously, and a bare node:http server. First the highest
 * rate is found that each sustains, then windows at that rate take turns between the arms; medians with their spread
 * count. `--help` has the options.
 */
export function run(args: readonly string[]): Promise<number> {
  return runBench<Options>({ command: commandLine(), run: compare }, args)
}

async function compare(options: Options, started: Started): Promise<number> {
  if (options.generator) {
    console.log(JSON.stringify(await measureGenerator({ rate: GENERATOR_RATE, ...options }, started), null, 2))
    return 0
  }
  const arms: Arm[] = []
  for (const kind of options.arm ?? ARM_KINDS) {
    for (const events of kind === 'groundswell' ? (options.events ?? EVENTS_DEFAULT) : EVENTS_DEFAULT) {
      note(`${kind}${kind === 'groundswell' ? `, events on ${events}` : ''}: starting`)
      arms.push(await started.add(START[kind]({ ...options, events, log: note })))
    }
  }
  const result = await measure(arms, options)
  console.log(options.json ? JSON.stringify(result, null, 2) : resultLines(result).join('\n'))
  return result.arms.every(({ roundsSustained }) => roundsSustained > 0) ? 0 : 1
}

type Options = {
  readonly seconds: number
  readonly probeSeconds: number
  readonly rounds: number
  readonly users: number
  readonly skus: number
  readonly topology: ArmSettings['topology']
  readonly arm?: readonly ArmKind[]
  readonly events?: readonly EventEngine[]
  readonly rate?: number
  readonly generator?: boolean
  readonly json?: boolean
}

/** At which the load generator is measured, unless told otherwise. */
const GENERATOR_RATE = 5_000

const EVENTS_DEFAULT: readonly EventEngine[] = ['postgres']

const START: Readonly<Record<ArmKind, (settings: ArmSettings) => Promise<Arm>>> = {
  groundswell: startGroundswellArm,
  sync: startSyncArm,
  bare: startBareArm,
}

const RATE_START: Readonly<Record<ArmKind, number>> = { groundswell: 1_000, sync: 200, bare: 4_000 }

function rateStart(name: ArmName): number {
  return RATE_START[ARM_KINDS.find((kind) => kind === name) ?? 'groundswell']
}

/** A pause between windows, so that one arm's last writes are not the next one's first. */
const SETTLE_MS = 2_000

async function measure(arms: readonly Arm[], options: Options): Promise<BenchResult> {
  const rates = new Map<ArmName, number>()
  for (const arm of arms) {
    await warmUp(arm, options.rate ?? 2 * rateStart(arm.name))
    const search = { ...options, rateStart: rateStart(arm.name), log: note }
    rates.set(arm.name, options.rate ?? (await findSustainedRate(arm, search)))
  }
  const windows = new Map<ArmName, Window[]>(arms.map(({ name }) => [name, []]))
  await inTurns(arms, options.rounds, async (arm, round) => {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    const window = await runWindow(arm, { rate: rates.get(arm.name) ?? 0, seconds: options.seconds })
    windows.get(arm.name)?.push(window)
    note(`round ${round + 1} of ${options.rounds}, ${arm.name}: ${describeWindow(window)}`)
  })
  const results = arms.map(({ name }) => armResult(name, rates.get(name) ?? 0, windows.get(name) ?? []))
  const { topology, seconds } = options
  return {
    machine: machineOf(Object.assign({}, ...arms.map(({ facts }) => facts))),
    topology,
    seconds,
    arms: results,
    ratios: options.rate === undefined ? ratiosOf(results) : {},
  }
}

function commandLine(): Command {
  return new Command('bench orders')
    .description('Accepted and completed orders per second: the shop, the synchronous shop, a bare server; in one run.')
    .addOption(new Option('--seconds <number>', 'length of a measured window').default(30).argParser(positive))
    .addOption(new Option('--probe-seconds <number>', 'length of a probe of the search').default(5).argParser(positive))
    .addOption(new Option('--rounds <number>', 'measured windows of each arm').default(3).argParser(positive))
    .addOption(new Option('--rate <number>', 'offer this rate to every arm instead of searching').argParser(positive))
    .addOption(new Option('--arm <names...>', 'only these arms').choices(ARM_KINDS))
    .addOption(
      new Option(
        '--events <engines>',
        `what delivers the shop's events, an arm each: ${EVENT_ENGINES.join(', ')}`,
      ).argParser(among(EVENT_ENGINES)),
    )
    .addOption(
      new Option(
        '--topology <kind>',
        'processes of the shop: all in one, or the gateway and orders apart from the rest',
      )
        .choices(['one', 'split'])
        .default('one'),
    )
    .addOption(new Option('--users <number>', 'customers who order in turn').default(2_000).argParser(positive))
    .addOption(new Option('--skus <number>', 'products that they order in turn').default(100).argParser(positive))
    .option('--generator', 'measure the load generator instead, beside undici')
    .option('--json', 'print JSON for machines')
    .addHelpText(
      'after',
      '\nExample:\n  $ npm run bench -- orders --seconds 10 --rounds 1 --arm groundswell --events postgres,kafka',
    )
}
