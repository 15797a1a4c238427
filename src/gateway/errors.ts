import { defineErrors } from '../core/index.ts'

/** Operating errors of the gateway. What the Admin API answers is in `config/api-error.ts`, in Kong's format. */
export const gatewayError = defineErrors({
  GATEWAY_ADMIN_REFUSED: {
    status: 500,
    retryable: false,
    remedy: 'The Admin API did not do what was asked; the message has its own words. What was written before stays.',
  },
  GATEWAY_ADMIN_UNREACHABLE: {
    status: 503,
    retryable: true,
    remedy: 'Start the gateway first, or name the address of its Admin API with --admin-url.',
  },
  GATEWAY_ADMIN_TOKEN_REQUIRED: {
    status: 500,
    retryable: false,
    remedy: 'The Admin API listens only on loopback until it has a token: set one, or bind it to 127.0.0.1.',
  },
  GATEWAY_CONFIG_INVALID: {
    status: 500,
    retryable: false,
    remedy: 'The declarative configuration cannot be read or has mistakes; the message lists every one with its place.',
  },
  GATEWAY_PLUGIN_INVALID: {
    status: 500,
    retryable: false,
    remedy: 'A plugin that the application names in app.ts has mistakes; the message lists every one.',
  },
  GATEWAY_REDIS_DRIVER_MISSING: {
    status: 500,
    retryable: false,
    remedy: 'A plugin is configured to use Redis, and its client is not installed: npm install redis.',
  },
  GATEWAY_REDIS_UNAVAILABLE: {
    status: 503,
    retryable: true,
    remedy:
      'The Redis that a plugin names did not answer in time; `fault_tolerant` says whether requests pass meanwhile.',
  },
  GATEWAY_STORE_STOPPED: {
    status: 503,
    retryable: true,
    remedy: 'The configuration store was used before start or after stop: start it first.',
  },
})
