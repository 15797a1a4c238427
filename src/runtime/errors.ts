import { defineErrors } from '../core/index.ts'

export const runtimeError = defineErrors({
  RUNTIME_OPTIONS_INVALID: {
    status: 500,
    retryable: false,
    remedy: 'An environment variable has a value that cannot be used; the message lists every one with what it may be.',
  },
  RUNTIME_APP_INVALID: {
    status: 500,
    retryable: false,
    remedy: 'The file must export an application as its default export: `export default app("name", { … })`.',
  },
  RUNTIME_SERVICE_UNKNOWN: {
    status: 500,
    retryable: false,
    remedy: 'Name services of the application, or gateway or console, in --only.',
  },
  RUNTIME_PORT_BUSY: {
    status: 500,
    retryable: false,
    remedy: 'Stop what listens there, or choose another port with the variable that the message names.',
  },
  RUNTIME_ADDRESS_UNUSABLE: {
    status: 500,
    retryable: false,
    remedy:
      'An address to listen on is not of this machine, does not resolve, or is not allowed to this user; the message names the variable to change.',
  },
  RUNTIME_STOP_FAILED: {
    status: 500,
    retryable: false,
    remedy:
      'A part did not stop as it should; the others were stopped all the same. The message names it and says why.',
  },
  RUNTIME_NOT_RUNNING: {
    status: 503,
    retryable: true,
    remedy: 'Start the application first, or set DATABASE_URLS to reach its databases.',
  },
  RUNTIME_DATA_DIR_UNUSABLE: {
    status: 500,
    retryable: false,
    remedy:
      'The file system refuses the data folder; the message says why. Set DATA_DIR to a folder that may be written.',
  },
  RUNTIME_DATABASE_NEEDED: {
    status: 500,
    retryable: false,
    remedy:
      'Services apart share databases: run `groundswell database`, or use servers of your own, and set DATABASE_URLS.',
  },
  RUNTIME_REJECTION_UNHANDLED: {
    status: 500,
    retryable: false,
    remedy:
      'Code of the application let a promise go that was rejected; the log has its stack. Put the `await` that is missing.',
  },
  RUNTIME_DATABASE_GONE: {
    status: 500,
    retryable: false,
    remedy:
      'The embedded PostgreSQL ended by itself; its log in the data folder says why. Start again: nothing accepted is lost.',
  },
})
