import { acl } from './acl.ts'
import { basicAuth } from './basic-auth.ts'
import { correlationId } from './correlation-id.ts'
import { jwt } from './jwt.ts'
import { keyAuth } from './key-auth.ts'
import type { PluginDefinition } from './plugin.ts'
import { prometheus } from './prometheus.ts'
import { rateLimiting } from './rate-limiting.ts'

export type { PluginDefinition, PluginInstance } from './plugin.ts'

/** Every plugin that can be configured. Another plugin is another file here, and nothing else. */
export const plugins: readonly PluginDefinition[] = [
  correlationId,
  jwt,
  keyAuth,
  basicAuth,
  acl,
  rateLimiting,
  prometheus,
]
