import { fileURLToPath } from 'node:url'
import { GroundswellError, messageOf } from '../../core/index.ts'
import { loadError } from './errors.ts'
import { runLoad } from './generator.ts'
import { CONNECTIONS_DEFAULT } from './limits.ts'
import type { LoadProgress, LoadReport } from './report.ts'
import type { Conclusion, Scenario, ScenarioSetup, ScenarioShape } from './scenario.ts'
import type { Arrivals } from './schedule.ts'

export type ScenarioOptions = {
  readonly url: string
  readonly adminUrl: string
  readonly settings?: Readonly<Record<string, string>>
  /** Wins over the scenario's own shape; a rate given here replaces its burst, and the other way round. */
  readonly shape?: ScenarioShape
  /** Of random arrivals. Default 1: the same run twice sends at the same times. */
  readonly seed?: number
  readonly connectionsMax?: number
  readonly timeoutMs?: number
  readonly log: (line: string) => void
  readonly onProgress?: (progress: LoadProgress) => void
  readonly signal?: AbortSignal
}

export type ScenarioOutcome = { readonly report: LoadReport; readonly conclusion: Conclusion | undefined }

const DURATION_MS_DEFAULT = 30_000

/**
 * Prepares a scenario, sends its load, and lets it look at the outcome. Throws LOAD_PREPARE_FAILED, and what runLoad
 * throws.
 */
export async function runScenario<State>(
  scenario: Scenario<State>,
  options: ScenarioOptions,
): Promise<ScenarioOutcome> {
  const { url, adminUrl, log, settings = {} } = options
  const setup: ScenarioSetup = { url, adminUrl, log, settings, fetch }
  const arrivals = arrivalsOf(scenario, options)
  const state = await prepare(scenario, setup)
  const { verify, conclude } = scenario
  const report = await runLoad({
    url,
    arrivals,
    request: (n) => scenario.request(state, n),
    connectionsMax: options.connectionsMax ?? Math.max(CONNECTIONS_DEFAULT, burstOf(arrivals)),
    ...(verify === undefined ? {} : { verify: (answer, n) => verify(state, answer, n) }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
  return { report, conclusion: await conclude?.(state, report, setup) }
}

/**
 * Imports a scenario from its file. Throws LOAD_SCENARIO_INVALID when there is none, with file and line of what keeps
 * it from loading, or with what its default export lacks.
 */
export async function loadScenario(file: URL): Promise<Scenario<unknown>> {
  // Only here: the runtime would double the time that every test file takes to load this folder.
  const { importFile } = await import('../../runtime/index.ts')
  const path = fileURLToPath(file)
  const refuse = (message: string, options?: { readonly cause: unknown }) =>
    loadError('LOAD_SCENARIO_INVALID', message, options)
  const { default: value } = await importFile(path, { what: 'a scenario', refuse })
  const needs = 'it needs export default scenario({ name, summary, prepare, request })'
  if (value === undefined) throw refuse(`${path} has no default export: ${needs}`)
  const problems = problemsOf(value)
  if (problems.length > 0) {
    throw refuse(`the default export of ${path} is no scenario (${problems.join('; ')}): ${needs}`)
  }
  return value as Scenario<unknown>
}

/** What a run uses: one that lacks it would fail only in its middle. */
const REQUIRED = { name: 'string', prepare: 'function', request: 'function' }
const OPTIONAL = { verify: 'function', conclude: 'function' }

function problemsOf(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [`it must be an object, is ${typeOf(value)}`]
  const members = value as Readonly<Record<string, unknown>>
  const given = Object.entries(OPTIONAL).filter(([name]) => members[name] !== undefined)
  return [...Object.entries(REQUIRED), ...given]
    .filter(([name, type]) => typeof members[name] !== type)
    .map(([name, type]) => `${name} must be a ${type}, is ${typeOf(members[name])}`)
}

function typeOf(value: unknown): string {
  return value === null ? 'null' : typeof value
}

function arrivalsOf<State>(scenario: Scenario<State>, options: ScenarioOptions): Arrivals {
  const { shape: given = {}, settings = {} } = options
  const own = typeof scenario.shape === 'function' ? scenario.shape(settings) : (scenario.shape ?? {})
  if (given.rate !== undefined && given.burst !== undefined) {
    throw loadError('LOAD_OPTIONS_INVALID', 'a rate and a burst exclude each other: give one of them')
  }
  const burst = given.rate === undefined ? (given.burst ?? own.burst) : undefined
  if (burst !== undefined) return { kind: 'burst', count: burst }
  const rate = given.rate ?? own.rate
  if (rate === undefined)
    throw loadError('LOAD_OPTIONS_INVALID', `scenario ${scenario.name} needs a rate: give --rate or --burst`)
  const durationMs = given.durationMs ?? own.durationMs ?? DURATION_MS_DEFAULT
  const kind = given.arrivals ?? own.arrivals ?? 'fixed'
  return kind === 'fixed' ? { kind, rate, durationMs } : { kind, rate, durationMs, seed: options.seed ?? 1 }
}

function burstOf(arrivals: Arrivals): number {
  return arrivals.kind === 'burst' ? arrivals.count : 0
}

async function prepare<State>(scenario: Scenario<State>, setup: ScenarioSetup): Promise<State> {
  try {
    return await scenario.prepare(setup)
  } catch (cause) {
    if (cause instanceof GroundswellError) throw cause
    const unreachable = cause instanceof TypeError && cause.cause !== undefined
    if (unreachable) {
      const why = `${setup.url} or ${setup.adminUrl} does not answer: ${messageOf(cause.cause)}; start the application, or give --url and --admin-url`
      throw loadError('LOAD_TARGET_UNREACHABLE', why, { cause })
    }
    throw loadError('LOAD_PREPARE_FAILED', `scenario ${scenario.name}: ${messageOf(cause)}`, { cause })
  }
}
