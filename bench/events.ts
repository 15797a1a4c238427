import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { systemClock } from '../src/core/index.ts'
import { startEmbeddedPostgres } from '../src/data/index.ts'
import type { EventEngine } from './command/broker.ts'
import { inTurns, note, positive, runBench, type Started } from './command/command.ts'
import { machineLine, machineOf } from './command/machine.ts'
import type { ArmPlace, EventsArm } from './events/arm.ts'
import { startGraphileWorkerArm } from './events/graphile-worker-arm.ts'
import { startGroundswellArm } from './events/groundswell-arm.ts'
import { startPgBossArm } from './events/pg-boss-arm.ts'
import { Clocks, type EventsWindow, pace, saturate, spreadsOf } from './events/window.ts'

/**
 * How many events a second go from a business transaction through to a handler's effect, and how long does each take?
 * The event log, in PostgreSQL, on Kafka and on RabbitMQ, and the job queues that people use for it, do the same work
 * on one PostgreSQL, each in a database of its own; they take turns within each round. First at their limit, then all
 * at one rate: half of what the slowest did.
 */
export function run(args: readonly string[]): Promise<number> {
  return runBench<Options>({ command: commandLine(), run: compare }, args)
}

async function compare(options: Options, started: Started): Promise<number> {
  const server = await started.add(startServer(options.arm.length))
  const arms: Measured[] = []
  for (const [index, name] of options.arm.entries()) {
    const url = server.urls[index]
    if (url === undefined) throw new Error(`there is no database for ${name}`)
    const clocks = new Clocks()
    const arm = await started.add(ARMS[name]({ url, handled: (id) => clocks.noteHandled(id) }))
    arms.push({ arm, clocks, limit: [], paced: [] })
  }
  await measure(arms, options)
  print(arms, options)
  return 0
}

/** More than any of them opens. */
const CONNECTIONS_PER_ARM = 60

/** One PostgreSQL for all arms, with a database for each. */
async function startServer(databases: number) {
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-bench-'))
  const connectionsMax = CONNECTIONS_PER_ARM * databases
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), shards: databases, connectionsMax })
  return {
    urls: server.urls,
    async stop() {
      await server.stop({ deadlineAtMs: systemClock.now() + 10_000 })
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const groundswell = (name: string, events: EventEngine, commits: 'shared' | 'single' = 'shared') => {
  return (place: ArmPlace) => startGroundswellArm(place, { name, events, commits })
}

const ARMS = {
  groundswell: groundswell('groundswell', 'postgres'),
  'groundswell-single': groundswell('groundswell-single', 'postgres', 'single'),
  'groundswell-kafka': groundswell('groundswell-kafka', 'kafka'),
  'groundswell-rabbitmq': groundswell('groundswell-rabbitmq', 'rabbitmq'),
  'pg-boss': startPgBossArm,
  'graphile-worker': startGraphileWorkerArm,
} as const satisfies Record<string, (place: ArmPlace) => Promise<EventsArm>>

type ArmName = keyof typeof ARMS

/** What the arms of the event log are held against. */
const BASES: readonly ArmName[] = ['groundswell', 'pg-boss', 'graphile-worker']

type Options = {
  readonly arm: readonly ArmName[]
  readonly rounds: number
  readonly seconds: number
  readonly json?: boolean
}

type Measured = {
  readonly arm: EventsArm
  readonly clocks: Clocks
  readonly limit: EventsWindow[]
  readonly paced: EventsWindow[]
}

/** Until the compiler has seen everything, and PostgreSQL has planned it. */
const WARM_SECONDS = 2

async function measure(arms: readonly Measured[], { rounds, seconds }: Options): Promise<void> {
  for (const { arm, clocks } of arms) await saturate(arm, clocks, WARM_SECONDS)
  await inTurns(arms, rounds, async ({ arm, clocks, limit }) => {
    limit.push(await saturate(arm, clocks, seconds))
    noteWindow(arm, 'at its limit', limit.at(-1))
  })
  const slowest = Math.min(...arms.map(({ limit }) => spreadsOf(limit).perSecond.median))
  const rate = Math.max(1, Math.floor(slowest / 2))
  await inTurns(arms, rounds, async ({ arm, clocks, paced }) => {
    paced.push(await pace(arm, clocks, { rate, seconds }))
    noteWindow(arm, `at ${rate}/s`, paced.at(-1))
  })
}

function print(arms: readonly Measured[], { json, rounds, seconds }: Options): void {
  const results = arms.map(({ arm, limit, paced }) => ({
    arm: arm.name,
    limit: spreadsOf(limit),
    paced: spreadsOf(paced),
  }))
  const perSecondOf = (name: string) => results.find(({ arm }) => arm === name)?.limit.perSecond.median ?? Number.NaN
  const ratios = Object.fromEntries(
    results.flatMap(({ arm, limit }) =>
      BASES.filter((base) => base !== arm && perSecondOf(base) > 0).flatMap((base) =>
        arm.startsWith('groundswell')
          ? [[`${arm} / ${base}`, Math.round((100 * limit.perSecond.median) / perSecondOf(base)) / 100]]
          : [],
      ),
    ),
  )
  const machine = machineOf()
  if (json) {
    console.log(JSON.stringify({ machine, rounds, seconds, arms: results, ratios }, null, 2))
    return
  }
  for (const { arm, limit, paced } of results) {
    console.log(
      `${arm.padEnd(20)} ${String(limit.perSecond.median).padStart(7)}/s at its limit (${limit.perSecond.min} to ${limit.perSecond.max}),` +
        ` ${limit.cpuMicros.median.toFixed(0)} µs CPU an event;` +
        ` at the common rate P50 ${paced.p50Ms.median.toFixed(1)} ms, P99 ${paced.p99Ms.median.toFixed(1)} ms`,
    )
  }
  for (const [name, ratio] of Object.entries(ratios)) console.log(`${name}: ${ratio}`)
  console.log(machineLine(machine))
}

function noteWindow({ name }: EventsArm, what: string, window: EventsWindow | undefined): void {
  if (window === undefined) return
  const { perSecond, p50Ms, p99Ms, cpuMicros } = window
  const times = `P50 ${p50Ms.toFixed(1)} ms  P99 ${p99Ms.toFixed(1)} ms  ${cpuMicros.toFixed(0)} µs CPU`
  note(`${name}, ${what}: ${perSecond.toFixed(0)} events/s  ${times}`)
}

function commandLine(): Command {
  return new Command('bench events')
    .description('Events a second and their delivery time, the log beside job queues on the same PostgreSQL.')
    .addOption(new Option('--arm <names...>', 'what to compare').choices(Object.keys(ARMS)).default(Object.keys(ARMS)))
    .addOption(new Option('--rounds <number>', 'windows of each arm').default(3).argParser(positive))
    .addOption(new Option('--seconds <number>', 'length of a window').default(10).argParser(positive))
    .option('--json', 'for machines')
    .addHelpText('after', '\nExample:\n  $ npm run bench -- events --arm groundswell pg-boss --rounds 5')
}
