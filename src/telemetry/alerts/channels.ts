import { facts } from '../../core/index.ts'
import type { Alert } from '../view.ts'

/** An alert began to fire, or was resolved. */
export const alertChanged = facts<Alert>('telemetry.alert')
