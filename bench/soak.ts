import { Command, InvalidArgumentError, Option } from 'commander'
import { delay } from '../src/core/index.ts'
import type { LoadProgress } from '../src/testing/index.ts'
import { EVENT_ENGINES, type EventEngine } from './command/broker.ts'
import { columns } from './command/columns.ts'
import { note, positive, runBench, type Started } from './command/command.ts'
import { machineLine, machineOf } from './command/machine.ts'
import { spreadOf } from './command/spread.ts'
import { describeWindow, warmUp } from './orders/search.ts'
import { type ShopArm, startGroundswellArm } from './orders/shop-arm.ts'
import { runWindow, type Window } from './orders/window.ts'
import { type Sample, sampleOf } from './soak/sample.ts'
import { type Growth, growthOf } from './soak/verdict.ts'

/**
 * Does anything grow that should not? The shop under a steady open-loop load for as long as told: tables, dead tuples,
 * memory, latencies and lag are sampled while it runs, and judged by their slopes after the warm-up. Orders that were
 * accepted and are not there, or do not end, fail it as well. The log keeps events for a short time, so that what drops
 * its periods runs too.
 */
export function run(args: readonly string[]): Promise<number> {
  return runBench<Options>({ command: commandLine(), run: soak, totalMsMax: TOTAL_MS_MAX }, args)
}

type Options = {
  readonly minutes: number
  readonly rate: number
  readonly sampleSeconds: number
  readonly events: EventEngine
  readonly json?: boolean
}

/** A day, and time to start and to drain. */
const MINUTES_MAX = 1_440
const TOTAL_MS_MAX = (MINUTES_MAX + 20) * 60_000

/** Of the event log: short enough that periods are dropped many times in half an hour. */
const RETENTION_SECONDS = 300
/** The log has its full size after its retention and one period more; a short run is judged from its half on. */
const WARM_UP_SECONDS = (RETENTION_SECONDS * 8) / 7 + 60

async function soak({ minutes, rate, sampleSeconds, events, json }: Options, started: Started): Promise<number> {
  const seconds = Math.max(1, Math.round(minutes * 60))
  const env = { EVENTS_RETENTION_MS: String(RETENTION_SECONDS * 1_000) }
  note(`starting the shop, events on ${events}`)
  const arm = await started.add(
    startGroundswellArm({ users: 2_000, skus: 100, topology: 'one', events, env, log: note }),
  )
  await warmUp(arm, rate)
  const { window, samples } = await load(arm, { rate, seconds, sampleSeconds })
  const warmUpSeconds = Math.min(WARM_UP_SECONDS, seconds / 2)
  const growth = growthOf(samples, warmUpSeconds)
  const machine = machineOf(arm.facts)
  const result = { machine, rate, seconds, events, warmUpSeconds, window, growth, samples }
  console.log(json ? JSON.stringify(result, null, 2) : lines(result).join('\n'))
  return window.shortfalls.length === 0 && growth.every(({ isFlat }) => isFlat) ? 0 : 1
}

type Load = { readonly rate: number; readonly seconds: number; readonly sampleSeconds: number }

async function load(arm: ShopArm, { rate, seconds, sampleSeconds }: Load) {
  const samples: Sample[] = []
  const ended = new AbortController()
  let secondsSeen: LoadProgress[] = []
  const startedAtMs = Date.now()
  const sampling = async () => {
    let sinceMs = startedAtMs
    for (let next = sampleSeconds; next <= seconds; next += sampleSeconds) {
      await delay(startedAtMs + next * 1_000 - Date.now(), ended.signal)
      if (ended.signal.aborted) return
      const p99s = spreadOf(secondsSeen.map(({ p99Ms }) => p99Ms))
      const { succeeded = 0, failed = 0 } = secondsSeen.at(-1) ?? {}
      secondsSeen = []
      const atMs = Date.now()
      const sample: Sample = {
        atSeconds: (atMs - startedAtMs) / 1_000,
        acceptP99Ms: p99s.median,
        acceptP99WorstMs: p99s.max,
        ...(await sampleOf(arm, sinceMs)),
      }
      sinceMs = atMs
      samples.push(sample)
      note(`${rowOf(sample).join('  ')}  (accepted ${succeeded}, failed ${failed})`)
    }
  }
  note(HEAD.join('  '))
  const sampled = sampling()
  const onProgress = (progress: LoadProgress) => void secondsSeen.push(progress)
  const window = await runWindow(arm, { rate, seconds, onProgress }).finally(() => ended.abort())
  await sampled
  return { window, samples }
}

const HEAD = ['AFTER', 'ACCEPT P99', 'WORST', 'SHIPPED P99', 'BEHIND', 'EVENTS', 'ORDER', 'DEAD', 'NODE', 'POSTGRESQL']

function rowOf(sample: Sample): string[] {
  return [
    `${Math.round(sample.atSeconds)} s`,
    `${sample.acceptP99Ms.toFixed(1)} ms`,
    `${sample.acceptP99WorstMs.toFixed(0)} ms`,
    `${sample.endToEndP99Ms.toFixed(0)} ms`,
    `${sample.eventsBehind} (${sample.oldestBehindSeconds.toFixed(1)} s)`,
    `${sample.eventsMiB.toFixed(0)} MiB`,
    `${sample.bytesPerOrder.toFixed(0)} B`,
    `${sample.deadTuples}`,
    `${sample.nodeMiB.toFixed(0)} MiB`,
    `${sample.postgresMiB.toFixed(0)} MiB`,
  ]
}

type Result = {
  readonly machine: ReturnType<typeof machineOf>
  readonly events: EventEngine
  readonly warmUpSeconds: number
  readonly window: Window
  readonly growth: readonly Growth[]
  readonly samples: readonly Sample[]
}

function lines({ machine, events, warmUpSeconds, window, growth, samples }: Result): string[] {
  const judged = growth.map(({ measure, median, perHour, growth, isFlat }) => [
    measure,
    median.toFixed(1),
    growth.toFixed(1),
    perHour.toFixed(1),
    isFlat ? 'flat' : 'GROWS',
  ])
  const verdict =
    judged.length === 0
      ? ['too short to judge slopes']
      : columns([['AFTER THE WARM-UP', 'MEDIAN', 'GROWTH', 'PER HOUR', 'VERDICT'], ...judged])
  return [
    ...columns([HEAD, ...samples.map(rowOf)]),
    '',
    ...verdict,
    '',
    `${describeWindow(window)}; events on ${events}; warm-up ${Math.round(warmUpSeconds)} s; the generator shares the machine`,
    machineLine(machine),
  ]
}

function commandLine(): Command {
  return new Command('bench soak')
    .description('The shop under a steady load: sizes, dead tuples, memory, latencies and lag, and whether they grow.')
    .addOption(new Option('--minutes <number>', 'how long, e.g. 0.5').default(30).argParser(minutesOf))
    .addOption(new Option('--rate <number>', 'orders a second').default(2_000).argParser(positive))
    .addOption(new Option('--sample-seconds <number>', 'time between samples').default(30).argParser(positive))
    .addOption(new Option('--events <engine>', 'what delivers events').choices(EVENT_ENGINES).default('postgres'))
    .option('--json', 'print JSON for machines')
    .addHelpText('after', '\nExample:\n  $ npm run bench -- soak --minutes 30 --rate 2000')
}

function minutesOf(text: string): number {
  const minutes = Number(text)
  if (minutes > 0 && minutes <= MINUTES_MAX) return minutes
  throw new InvalidArgumentError(`It must be a number above 0, and ${MINUTES_MAX} at most.`)
}
