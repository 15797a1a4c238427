import { defineErrors } from '../core/index.ts'

export const cliError = defineErrors({
  CLI_BENCH_UNKNOWN: {
    status: 500,
    retryable: false,
    remedy: 'Name one of the benchmarks that the message lists; they are in the repository, not in the package.',
  },
  CLI_BROKER_MISSING: {
    status: 500,
    retryable: false,
    remedy:
      'The message says what is missing and how it is installed; or set EVENTS_URL to a broker that runs elsewhere.',
  },
  CLI_FILES_PRESENT: {
    status: 500,
    retryable: false,
    remedy: 'The folder has files that this command did not write, or that were changed. `--force` overwrites them.',
  },
  CLI_FOLDER_EMPTY: {
    status: 500,
    retryable: false,
    remedy: 'There is nothing to check in the folder. Name the one that `groundswell deploy` wrote to.',
  },
  CLI_OPTION_INVALID: {
    status: 500,
    retryable: false,
    remedy: 'The message says which options belong together; `--help` has examples.',
  },
  CLI_PATH_UNUSABLE: {
    status: 500,
    retryable: false,
    remedy: 'The file system refuses the path; the message says why, and which option names another.',
  },
  CLI_PROJECT_MISSING: {
    status: 500,
    retryable: false,
    remedy:
      'Images are built from the folder that holds package.json: run the command there, for an application in it.',
  },
  CLI_SAGA_UNKNOWN: {
    status: 500,
    retryable: false,
    remedy: 'Name one of the sagas that the message lists, and the id of one that was begun.',
  },
  CLI_RELEASE_MISSING: {
    status: 500,
    retryable: false,
    remedy: 'No schemas of events were released yet. `groundswell events release` writes them down.',
  },
  CLI_GROUP_UNKNOWN: {
    status: 500,
    retryable: false,
    remedy: 'Name one of the consumer groups that the message lists: every group that has run.',
  },
  CLI_SHARD_UNKNOWN: {
    status: 500,
    retryable: false,
    remedy: 'Name one of the shards that the message lists.',
  },
  CLI_TOPIC_UNKNOWN: {
    status: 500,
    retryable: false,
    remedy: 'Name one of the topics that the message lists: every one that an event was written of.',
  },
})
