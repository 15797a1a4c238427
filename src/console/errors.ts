import { defineErrors } from '../core/index.ts'

export const consoleError = defineErrors({
  CONSOLE_PATH_UNKNOWN: {
    status: 404,
    retryable: false,
    remedy: 'The console has no such address; /api/topology, /api/frames, /api/traces and /api/alerts are some it has.',
  },
  CONSOLE_METHOD_NOT_ALLOWED: {
    status: 405,
    retryable: false,
    remedy: 'The console only shows: use GET or HEAD.',
  },
  CONSOLE_QUERY_INVALID: {
    status: 400,
    retryable: false,
    remedy: 'A parameter of the query is not a whole number in its range; the message names it.',
  },
  CONSOLE_HOST_REFUSED: {
    status: 403,
    retryable: false,
    remedy:
      'The console answers only to localhost, so that no web page can read it under a name of its own. Open it as http://localhost:8002.',
  },
  CONSOLE_TRACE_UNKNOWN: {
    status: 404,
    retryable: false,
    remedy: 'The trace was not sampled, or newer ones took its place: traces are kept in memory, the latest only.',
  },
  CONSOLE_STREAMS_EXHAUSTED: {
    status: 503,
    retryable: true,
    remedy: 'Too many browsers follow the event stream: close some, or try again.',
  },
})
