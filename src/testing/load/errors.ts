import { defineErrors } from '../../core/index.ts'

export const loadError = defineErrors({
  LOAD_OPTIONS_INVALID: {
    status: 500,
    retryable: false,
    remedy: 'Give the load a rate or a burst, a duration and an http:// URL; the message names what is wrong.',
  },
  LOAD_SCENARIO_INVALID: {
    status: 500,
    retryable: false,
    remedy: 'The file must export a scenario as its default export: `export default scenario({ name, … })`.',
  },
  LOAD_TARGET_UNREACHABLE: {
    status: 503,
    retryable: true,
    remedy: 'Start the application first, or give the address of the gateway with --url.',
  },
  LOAD_PREPARE_FAILED: {
    status: 500,
    retryable: false,
    remedy: 'The scenario could not set up its users, keys or products; the message says which call failed and how.',
  },
})
