import { correlationId } from './correlation-id.ts'
import { createFileLog } from './file-log.ts'
import { httpLog } from './http-log.ts'
import { keyAuth } from './key-auth.ts'
import { opentelemetry } from './opentelemetry.ts'
import type { PluginDefinition } from './plugin.ts'
import { prometheus } from './prometheus.ts'
import { rateLimiting } from './rate-limiting.ts'

export { createFileLog } from './file-log.ts'
export type { PluginDefinition, PluginInstance, PluginState } from './plugin.ts'

/** Every plugin that can be configured. Another plugin is another file here, and nothing else. */
export const plugins: readonly PluginDefinition[] = [
  correlationId,
  keyAuth,
  rateLimiting,
  opentelemetry,
  prometheus,
  httpLog,
  createFileLog(undefined),
]
