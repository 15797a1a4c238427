import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { ARM_NAMES, type Arm, type ArmName } from './gateway/arm.ts'
import { type GatewayArm, startInProcessArm, startProxiedArm } from './gateway/gateway-arms.ts'
import { type MemoryResult, measureMemory } from './gateway/memory.ts'
import { startNginxArm } from './gateway/nginx-arm.ts'
import { armLines, armResult, machine, ratiosOf, text } from './gateway/result.ts'
import { measureLookup } from './gateway/routes.ts'
import { startBareArm, startFastifyProxyArm, startHttpProxyArm } from './gateway/script-arms.ts'
import { isInstalled, saturate, type Window } from './gateway/wrk.ts'
import { stopEveryProcess } from './orders/processes.ts'

/**
 * How many requests per second does the gateway carry, and what does one cost it? The gateway with key-auth,
 * rate-limiting and prometheus, in front of a service in its own process and as a proxy; against a bare node:http
 * server and other proxies. All take turns within each round, in another order each time, and ratios are taken round by
 * round. `--arm memory` sends a million requests instead, `--arm routes` looks routes up. wrk sends the requests.
 */
export async function run(args: readonly string[]): Promise<number> {
  let options: Options
  try {
    options = commandLine().parse(args, { from: 'user' }).opts<Options>()
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    throw error
  }
  const started: Arm[] = []
  const stop = stopper(started)
  process.once('SIGINT', stop.andExit)
  process.once('SIGTERM', stop.andExit)
  const bound = setTimeout(stop.andExit, TOTAL_MS_MAX)
  try {
    const report = await measure(options, started)
    console.log(options.json ? JSON.stringify(report, null, 2) : linesOf(report).join('\n'))
    return 0
  } finally {
    clearTimeout(bound)
    await stop.all()
    process.off('SIGINT', stop.andExit)
    process.off('SIGTERM', stop.andExit)
  }
}

type Question = ArmName | 'memory' | 'routes'
const QUESTIONS: readonly Question[] = [...ARM_NAMES, 'memory', 'routes']

type Options = {
  readonly arm: readonly Question[]
  readonly rounds: number
  readonly seconds: number
  readonly connections: number
  readonly requests: number
  readonly json?: boolean
}

/** However it goes, a run ends by then. The longest sends a million requests to each of two gateways. */
const TOTAL_MS_MAX = 90 * 60_000
/** Until the compiler has seen everything. */
const WARM_SECONDS = 3

/** The upstream that the proxies share is as the bare server, in a process of its own. */
const START: Readonly<Record<ArmName, (upstream: string) => Promise<Arm>>> = {
  bare: startBareArm,
  'in-process': startInProcessArm,
  proxied: startProxiedArm,
  'fastify-http-proxy': startFastifyProxyArm,
  'http-proxy': startHttpProxyArm,
  nginx: startNginxArm,
}

type Report = {
  readonly machine: ReturnType<typeof machine>
  readonly connections: number
  readonly seconds: number
  readonly arms: readonly ReturnType<typeof armResult>[]
  readonly ratios: ReturnType<typeof ratiosOf>
  readonly memory: readonly MemoryResult[]
  readonly routes?: ReturnType<typeof measureLookup>
}

async function measure(options: Options, started: Arm[]): Promise<Report> {
  const { arm, connections, seconds } = options
  const names = await installed(ARM_NAMES.filter((name) => arm.includes(name)))
  const asksMemory = arm.includes('memory') && (await isThere('wrk', 'memory'))
  const needsUpstream = asksMemory || names.some((name) => name !== 'bare' && name !== 'in-process')
  const upstream = needsUpstream ? await startBareArm() : undefined
  if (upstream !== undefined) started.push(upstream)
  const arms = await measureArms(names, { ...options, upstream: upstream?.url ?? '', started })
  const memory = asksMemory ? await measureGateways({ ...options, upstream: upstream?.url ?? '', started }) : []
  return {
    machine: machine(),
    connections,
    seconds,
    arms: arms.map(armResult),
    ratios: ratiosOf(arms),
    memory,
    ...(arm.includes('routes') ? { routes: measureLookup() } : {}),
  }
}

type Parts = Options & { readonly upstream: string; readonly started: Arm[] }

async function measureArms(names: readonly ArmName[], { upstream, started, ...options }: Parts) {
  const { rounds, seconds, connections } = options
  const measured: { readonly name: ArmName; readonly arm: Arm; readonly windows: Window[] }[] = []
  for (const name of names) {
    note(`${name}: starting`)
    const arm = await START[name](upstream)
    started.push(arm)
    measured.push({ name, arm, windows: [] })
    await saturate(arm, { seconds: WARM_SECONDS, connections })
  }
  for (let round = 0; round < rounds; round++) {
    const turn = measured
      .map((_, index) => measured[(index + round) % measured.length])
      .filter((one) => one !== undefined)
    for (const { name, arm, windows } of turn) {
      const window = await saturate(arm, { seconds, connections })
      windows.push(window)
      const { requestsPerSecond, cpuMicrosPerRequest } = window
      note(
        `round ${round + 1} of ${rounds}, ${name}: ${requestsPerSecond.toFixed(0)}/s, ` +
          `${cpuMicrosPerRequest?.toFixed(1) ?? '?'} µs CPU`,
      )
    }
  }
  return measured
}

async function measureGateways({ upstream, started, requests, connections }: Parts): Promise<MemoryResult[]> {
  const results: MemoryResult[] = []
  for (const start of [startInProcessArm, startProxiedArm]) {
    const arm: GatewayArm = await start(upstream)
    started.push(arm)
    results.push(await measureMemory(arm, { requests, connections, log: note }))
  }
  return results
}

/** Leaves out, and says so, what needs a program that is not there. */
async function installed(names: readonly ArmName[]): Promise<readonly ArmName[]> {
  if (names.length === 0) return names
  if (!(await isThere('wrk', names.join(', ')))) return []
  if (!names.includes('nginx') || (await isThere('nginx', 'nginx'))) return names
  return names.filter((name) => name !== 'nginx')
}

async function isThere(program: string, needed: string): Promise<boolean> {
  const isThere = await isInstalled(program)
  if (!isThere) note(`skipped, since ${program} is not installed: ${needed}`)
  return isThere
}

function linesOf({ machine, connections, seconds, arms, ratios, memory, routes }: Report): string[] {
  return [
    ...(arms.length === 0 ? [] : armLines(arms, ratios)),
    ...memory.map(
      ({ arm, requests, residentMiB, heapMiB, growthPercent }) =>
        `${arm}: ${requests} requests; resident ${residentMiB.join(' ')} MiB, heap ${heapMiB.join(' ')} MiB; ` +
        `the last third ${growthPercent} % above the one before`,
    ),
    ...(routes === undefined ? [] : [`${JSON.stringify(routes.nanoseconds)} ns a lookup; ratio ${text(routes.ratio)}`]),
    '',
    `median (least to most) of windows of ${seconds} s, ${connections} connections; the generator shares the machine`,
    Object.entries(machine)
      .map(([name, value]) => `${name} ${value}`)
      .join(' · '),
  ]
}

function commandLine(): Command {
  return new Command('bench gateway')
    .description('Requests per second of the gateway, in process and as a proxy, and of other proxies; in one run.')
    .addOption(
      new Option('--arm <names...>', 'only these; memory: a million requests, routes: lookups among many')
        .choices(QUESTIONS)
        .default([...ARM_NAMES, 'routes']),
    )
    .addOption(new Option('--rounds <number>', 'windows of each arm').default(5).argParser(positive))
    .addOption(new Option('--seconds <number>', 'length of a window').default(5).argParser(positive))
    .addOption(
      new Option('--connections <number>', 'clients that each wait for their answer').default(64).argParser(positive),
    )
    .addOption(new Option('--requests <number>', 'of the arm memory').default(1_000_000).argParser(positive))
    .option('--json', 'print JSON for machines')
    .addHelpText('after', '\nExample:\n  $ npm run bench -- gateway --arm proxied nginx --rounds 3')
    .exitOverride()
}

function positive(input: string): number {
  const value = Number(input)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number of 1 or more.')
  return value
}

/** Ends the arms; what is still starting is ended by its pid. */
function stopper(started: Arm[]) {
  const all = async () => {
    for (const arm of started.splice(0).reverse()) await arm.stop()
  }
  return {
    all,
    andExit() {
      note('ending what was started')
      void Promise.allSettled([all(), stopEveryProcess()]).then(() => process.exit(1))
    },
  }
}

function note(line: string): void {
  process.stderr.write(`${line}\n`)
}
