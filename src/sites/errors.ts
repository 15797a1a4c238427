import { defineErrors } from '../core/index.ts'

export const siteError = defineErrors({
  SITES_FOLDER_UNREADABLE: {
    status: 500,
    retryable: false,
    remedy: 'The folder of a site, or a file in it, cannot be read; the message names it and says why.',
  },
  SITES_FOLDER_TOO_LARGE: {
    status: 500,
    retryable: false,
    remedy: 'A site is kept in memory: move large files to a CDN or an object store, and link to them.',
  },
  SITES_KEY_MISSING: {
    status: 503,
    retryable: true,
    remedy: 'The consumer whose key a site publishes has none: give it one through the Admin API.',
  },
})
