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
    remedy:
      'The console has this address for other methods: GET and HEAD, for plugins of the gateway POST, PATCH, DELETE, for acts on events POST.',
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
  CONSOLE_GATEWAY_NONE: {
    status: 404,
    retryable: false,
    remedy:
      'No gateway runs in the process of the console: set ADMIN_URL to the Admin API of one, such as http://127.0.0.1:8001.',
  },
  CONSOLE_GATEWAY_UNREACHABLE: {
    status: 502,
    retryable: true,
    remedy: 'The gateway’s Admin API does not answer where it should: see whether the gateway runs, and ADMIN_URL.',
  },
  CONSOLE_ORIGIN_REFUSED: {
    status: 403,
    retryable: false,
    remedy:
      'A web page of another origin tried to change something. Changes come from the console’s own page, or from no browser.',
  },
  CONSOLE_BODY_NOT_JSON: {
    status: 415,
    retryable: false,
    remedy: 'A change is JSON, and its Content-Type says so.',
  },
  CONSOLE_BODY_TOO_LARGE: {
    status: 413,
    retryable: false,
    remedy: 'No change that the console takes is as large as this.',
  },
  CONSOLE_BODY_INVALID: {
    status: 400,
    retryable: false,
    remedy: 'Redriving takes {} for all dead letters of the group, or {"id": "…"} for one; nothing was done.',
  },
  CONSOLE_EVENTS_NONE: {
    status: 404,
    retryable: false,
    remedy:
      'The console runs in a process without databases, such as a gateway alone: open that of a process with them.',
  },
  CONSOLE_GROUP_UNKNOWN: {
    status: 404,
    retryable: false,
    remedy: 'Groups are named like their services, and appear once they have run; GET /api/events lists them.',
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
