export { type LoadOptions, runLoad } from './generator.ts'
export type { Answer } from './http-answer.ts'
export {
  type GeneratorReport,
  type LatencyReport,
  type LoadProgress,
  type LoadReport,
  progressLine,
  reportLines,
} from './report.ts'
export { loadScenario, runScenario, type ScenarioOptions, type ScenarioOutcome } from './run-scenario.ts'
export {
  type Conclusion,
  type LoadRequest,
  type Scenario,
  type ScenarioSetup,
  type ScenarioShape,
  scenario,
} from './scenario.ts'
export type { Arrivals } from './schedule.ts'
