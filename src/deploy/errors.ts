import { defineErrors } from '../core/index.ts'

export const deployError = defineErrors({
  DEPLOY_NAME_UNUSABLE: {
    status: 500,
    retryable: false,
    remedy:
      'Names of services become names in the cluster: at most 63 characters, and neither `gateway` nor `console`.',
  },
})
