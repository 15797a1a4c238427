import { defineErrors } from '../core/index.ts'

export const serviceError = defineErrors({
  SERVICE_BODY_MALFORMED: {
    status: 400,
    retryable: false,
    remedy: 'The request is not well-formed: send valid JSON, a valid URL and a matching Content-Length.',
  },
  SERVICE_IDEMPOTENCY_KEY_INVALID: {
    status: 400,
    retryable: false,
    remedy: 'Idempotency-Key must be 1 to 255 visible ASCII characters, sent once. A UUID is a good one.',
  },
  SERVICE_FORBIDDEN: {
    status: 403,
    retryable: false,
    remedy: 'The route is for other consumers of the gateway. Use the key of one that it names.',
  },
  SERVICE_ROUTE_UNKNOWN: {
    status: 404,
    retryable: false,
    remedy: 'The service has no such path. The table of routes is printed at start.',
  },
  SERVICE_METHOD_NOT_ALLOWED: {
    status: 405,
    retryable: false,
    remedy: 'The path exists, but not with this method. The Allow header names those it has.',
  },
  SERVICE_BODY_TOO_LARGE: {
    status: 413,
    retryable: false,
    remedy: 'The request body is larger than a service reads. Split it.',
  },
  SERVICE_MEDIA_TYPE_UNSUPPORTED: {
    status: 415,
    retryable: false,
    remedy: 'Send the body as application/json.',
  },
  SERVICE_INPUT_INVALID: {
    status: 422,
    retryable: false,
    remedy: 'The request is well-formed, but its content is not what the endpoint takes. `errors` names every field.',
  },
  SERVICE_IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    retryable: false,
    remedy: 'The Idempotency-Key was used for another request body. Use a new key for a new request.',
  },
  SERVICE_INTERNAL: {
    status: 500,
    retryable: false,
    remedy: 'A handler failed in a way nobody planned for. The log has the error under the trace id of the answer.',
  },
  SERVICE_ORIGIN_UNKNOWN: {
    status: 500,
    retryable: false,
    remedy: 'The service called is not in this process and no URL of it is known. Set the variable that names its URL.',
  },
  SERVICE_CALL_REFUSED: {
    status: 502,
    retryable: false,
    remedy:
      'Another service refused a call with a status its contract does not name; details.problem has its reason. Correct the caller, or add the status to `replies`.',
  },
  SERVICE_REPLY_INVALID: {
    status: 502,
    retryable: false,
    remedy:
      'Another service answered with a body that its contract does not allow. Deploy both from the same contract.',
  },
  SERVICE_CALL_FAILED: {
    status: 503,
    retryable: true,
    remedy: 'Another service failed while it answered a call; details.problem has its reason. Try again later.',
  },
  SERVICE_IDEMPOTENCY_KEY_EXPIRED: {
    status: 503,
    retryable: true,
    remedy: 'The Idempotency-Key was purged, being a day old, in the moment it was used again. Try again.',
  },
  SERVICE_STARTING: {
    status: 503,
    retryable: true,
    remedy: 'The process is still starting, and `/readyz` says so. Send it requests when that answers 200.',
  },
  SERVICE_UNREACHABLE: {
    status: 503,
    retryable: true,
    remedy: 'Another service does not answer at its URL. Start it, or correct the variable that names its URL.',
  },
  SERVICE_DEADLINE_PASSED: {
    status: 504,
    retryable: true,
    remedy:
      'The time for the request was over before the answer was there. Try again, with more time if you set the limit.',
  },
})
