import { correlationId } from './correlation-id.ts'
import { keyAuth } from './key-auth.ts'
import { loadShedding } from './load-shedding.ts'
import type { PluginDefinition } from './plugin.ts'
import { prometheus } from './prometheus.ts'
import { proxyCache } from './proxy-cache.ts'
import { rateLimiting } from './rate-limiting.ts'
import { requestTransformer } from './request-transformer.ts'
import { requestValidator } from './request-validator.ts'
import { responseTransformer } from './response-transformer.ts'

export type { PluginDefinition, PluginInstance } from './plugin.ts'

/** Every plugin that can be configured. Another plugin is another file here, and nothing else. */
export const plugins: readonly PluginDefinition[] = [
  correlationId,
  keyAuth,
  requestValidator,
  rateLimiting,
  loadShedding,
  requestTransformer,
  responseTransformer,
  proxyCache,
  prometheus,
]
