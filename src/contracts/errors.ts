import { defineErrors } from '../core/index.ts'

export const contractsError = defineErrors({
  CONTRACTS_SCHEMA_OPAQUE: {
    status: 500,
    retryable: false,
    remedy:
      'A schema holds what JSON has no form for, such as a Date or a schema that contains itself. Use a JSON type.',
  },
  CONTRACTS_RELEASE_INVALID: {
    status: 500,
    retryable: false,
    remedy: 'The file of released schemas is damaged or was made by another version. Restore it from version control.',
  },
})
