import { defineErrors } from '../core/index.ts'

export const cliError = defineErrors({
  CLI_BENCH_UNKNOWN: {
    status: 500,
    retryable: false,
    remedy: 'Name one of the benchmarks that the message lists; they are in the repository, not in the package.',
  },
})
