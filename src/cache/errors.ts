import { defineErrors } from '../core/index.ts'

export const cacheError = defineErrors({
  CACHE_NAME_TAKEN: {
    status: 500,
    retryable: false,
    remedy: 'Two caches are declared under one name. Declare it once, export it, and import it where it is used.',
  },
  CACHE_KEY_INVALID: {
    status: 500,
    retryable: false,
    remedy: 'A key is empty or too long. Use the id of what is cached, not its content.',
  },
  CACHE_TAGS_INVALID: {
    status: 500,
    retryable: false,
    remedy:
      'A tag is empty, too long or not text that PostgreSQL can hold, or there are too many. The message says which.',
  },
  CACHE_TTL_INVALID: {
    status: 500,
    retryable: false,
    remedy: 'A time to live must be a whole number of milliseconds from 1 up.',
  },
  CACHE_VALUE_INVALID: {
    status: 500,
    retryable: false,
    remedy:
      'A value is not what JSON can hold, such as a Date or a Map. Convert it before it is returned to the cache.',
  },
  CACHE_LOAD_UNFENCED: {
    status: 500,
    retryable: false,
    remedy:
      'A load with tags has read nothing through the reader it was given, so that nothing could ever invalidate its value. Query with that reader.',
  },
  CACHE_LOAD_TIMEOUT: {
    status: 504,
    retryable: true,
    remedy: 'A load took longer than any request waits. Look for the slow statement or call behind it.',
  },
  CACHE_STORE_UNAVAILABLE: {
    status: 503,
    retryable: true,
    remedy:
      'The second level of the cache did not answer in time or is left alone after failures. Only `set` and `delete` say so; reads go on without it.',
  },
  CACHE_URL_UNSUPPORTED: {
    status: 500,
    retryable: false,
    remedy: 'CACHE_URL names a kind of server that there is no store for. Use redis:// or rediss://, or leave it out.',
  },
  CACHE_DRIVER_MISSING: {
    status: 500,
    retryable: false,
    remedy: 'The driver of the second level is not installed. Run npm install redis.',
  },
})
