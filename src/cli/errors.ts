import { defineErrors } from '../core/index.ts'

export const cliError = defineErrors({
  CLI_BENCH_UNKNOWN: {
    status: 500,
    retryable: false,
    remedy: 'Name one of the benchmarks that the message lists; they are in the repository, not in the package.',
  },
  CLI_GROUP_UNKNOWN: {
    status: 500,
    retryable: false,
    remedy: 'Name one of the consumer groups that the message lists: every group that has run.',
  },
})
