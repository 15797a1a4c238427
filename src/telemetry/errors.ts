import { defineErrors } from '../core/index.ts'

export const telemetryError = defineErrors({
  TELEMETRY_EXPORTER_MISSING: {
    status: 500,
    retryable: false,
    remedy:
      'Exporting needs OpenTelemetry’s packages, which are optional: install those that the message names, or unset OTEL_EXPORTER_OTLP_ENDPOINT.',
  },
})
