import type { Alert, Degradation, TelemetryView, Verdict } from '../telemetry/index.ts'

/** How things are, apart from the figures. */
export type ConsoleState = {
  readonly verdict: Verdict
  readonly alerts: readonly Alert[]
  readonly degradations: readonly Degradation[]
}

export function stateOf(view: TelemetryView): ConsoleState {
  return { verdict: view.verdict(), alerts: view.alerts(), degradations: view.degradations() }
}
