import { Command, Option } from 'commander'
import { inTurns, note, positive, runBench, type Started } from './command/command.ts'
import { type Machine, machineLine, machineOf } from './command/machine.ts'
import { ARM_NAMES, type Arm, type ArmName } from './gateway/arm.ts'
import { type GatewayArm, startInProcessArm, startProxiedArm } from './gateway/gateway-arms.ts'
import { type MemoryResult, measureMemory } from './gateway/memory.ts'
import { startNginxArm } from './gateway/nginx-arm.ts'
import { armLines, armResult, ratiosOf, text } from './gateway/result.ts'
import { measureLookup } from './gateway/routes.ts'
import { startBareArm, startFastifyProxyArm, startHttpProxyArm } from './gateway/script-arms.ts'
import { isInstalled, saturate, type Window } from './gateway/wrk.ts'

/**
 * How many requests per second does the gateway carry, and what does one cost it? The gateway with key-auth,
 * rate-limiting and prometheus, in front of a service in its own process and as a proxy; against a bare node:http
 * server and other proxies. All take turns within each round, in another order each time, and ratios are taken round by
 * round. `--arm memory` sends a million requests instead, `--arm routes` looks routes up. wrk sends the requests.
 */
export function run(args: readonly string[]): Promise<number> {
  return runBench<Options>(
    {
      command: commandLine(),
      run: async (options, started) => {
        const report = await measure(options, started)
        console.log(options.json ? JSON.stringify(report, null, 2) : linesOf(report).join('\n'))
        return 0
      },
      totalMsMax: TOTAL_MS_MAX,
    },
    args,
  )
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

/** The longest is a million requests to each of two gateways, on a busy machine. */
const TOTAL_MS_MAX = 90 * 60_000
/** By then V8 has compiled what a request needs (docs/decisions/0012); an arm that needs no compiler is done sooner. */
const WARM_REQUESTS = 60_000
const WARM_SECONDS = 2

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
  readonly machine: Machine
  readonly connections: number
  readonly seconds: number
  readonly arms: readonly ReturnType<typeof armResult>[]
  readonly ratios: ReturnType<typeof ratiosOf>
  readonly memory: readonly MemoryResult[]
  readonly routes?: ReturnType<typeof measureLookup>
}

async function measure(options: Options, started: Started): Promise<Report> {
  const { arm, connections, seconds } = options
  const names = await installed(ARM_NAMES.filter((name) => arm.includes(name)))
  const asksMemory = arm.includes('memory') && (await isThere('wrk', 'memory'))
  const needsUpstream = asksMemory || names.some((name) => name !== 'bare' && name !== 'in-process')
  const upstream = needsUpstream ? await started.add(startBareArm()) : undefined
  const arms = await measureArms(names, { ...options, upstream: upstream?.url ?? '', started })
  const memory = asksMemory ? await measureGateways({ ...options, upstream: upstream?.url ?? '', started }) : []
  return {
    machine: machineOf(),
    connections,
    seconds,
    arms: arms.map(armResult),
    ratios: ratiosOf(arms),
    memory,
    ...(arm.includes('routes') ? { routes: measureLookup() } : {}),
  }
}

type Parts = Options & { readonly upstream: string; readonly started: Started }

async function measureArms(names: readonly ArmName[], { upstream, started, ...options }: Parts) {
  const { rounds, seconds, connections } = options
  const measured: { readonly name: ArmName; readonly arm: Arm; readonly windows: Window[] }[] = []
  for (const name of names) {
    note(`${name}: starting`)
    const arm = await started.add(START[name](upstream))
    measured.push({ name, arm, windows: [] })
    let warmed = 0
    while (warmed < WARM_REQUESTS) warmed += (await saturate(arm, { seconds: WARM_SECONDS, connections })).requests
  }
  await inTurns(measured, rounds, async ({ name, arm, windows }, round) => {
    const window = await saturate(arm, { seconds, connections })
    windows.push(window)
    const { requestsPerSecond, cpuMicrosPerRequest } = window
    note(
      `round ${round + 1} of ${rounds}, ${name}: ${requestsPerSecond.toFixed(0)}/s, ` +
        `${cpuMicrosPerRequest?.toFixed(1) ?? '?'} µs CPU`,
    )
  })
  return measured
}

async function measureGateways({ upstream, started, requests, connections }: Parts): Promise<MemoryResult[]> {
  const results: MemoryResult[] = []
  for (const start of [startInProcessArm, startProxiedArm]) {
    const arm: GatewayArm = await started.add(start(upstream))
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
    machineLine(machine),
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
}
