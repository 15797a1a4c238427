import type { Answer } from './http-answer.ts'
import type { LoadReport } from './report.ts'

/**
 * One request of a load. A `headers` object that is used for many requests is turned into bytes only once: reuse it.
 */
export type LoadRequest = {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
  /** Path with query, e.g. `/orders?limit=10`. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Text as it is, or a value that is sent as JSON. */
  readonly body?: unknown
}

/** What a scenario may use to set itself up and to look at the outcome. */
export type ScenarioSetup = {
  /** Base URL of the gateway, without a slash at the end. */
  readonly url: string
  /** Base URL of the gateway's Admin API, without a slash at the end. */
  readonly adminUrl: string
  readonly fetch: typeof fetch
  /** What `--set name=value` gave. */
  readonly settings: Readonly<Record<string, string>>
  /** A line of progress for people. */
  readonly log: (line: string) => void
}

/** When requests are due, as far as the scenario has an opinion; the command line overrides it. */
export type ScenarioShape = {
  /** Requests per second. */
  readonly rate?: number
  readonly durationMs?: number
  readonly arrivals?: 'fixed' | 'poisson'
  /** This many requests at once, instead of a rate. */
  readonly burst?: number
}

/** What a scenario found after its load. */
export type Conclusion = {
  readonly figures: Readonly<Record<string, number | string>>
  /** What must not be: the run fails when there is any. */
  readonly problems: readonly string[]
}

/** A load as a value: what to set up, what to send, which answers count, and what must hold afterwards. */
export type Scenario<State> = {
  readonly name: string
  /** A line for people. */
  readonly summary: string
  readonly shape?: ScenarioShape | ((settings: Readonly<Record<string, string>>) => ScenarioShape)
  readonly prepare: (setup: ScenarioSetup) => Promise<State>
  /** The `n`th request, from 0. Called when it is due, once for every `n`, so it must be quick. */
  readonly request: (state: State, n: number) => LoadRequest
  /** What is wrong with the answer to the `n`th request, or undefined. Without it every status of 200..399 is right. */
  readonly verify?: (state: State, answer: Answer, n: number) => string | undefined
  readonly conclude?: (state: State, report: LoadReport, setup: ScenarioSetup) => Promise<Conclusion>
}

/** Declares a scenario: `export default scenario({ name: 'orders', prepare, request })`. */
export function scenario<State>(definition: Scenario<State>): Scenario<State> {
  return definition
}
