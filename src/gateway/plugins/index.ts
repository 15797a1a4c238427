import { acl } from './acl.ts'
import { basicAuth } from './basic-auth.ts'
import { botDetection } from './bot-detection.ts'
import { canary } from './canary.ts'
import { correlationId } from './correlation-id.ts'
import { cors } from './cors.ts'
import { createFileLog } from './file-log.ts'
import { httpLog } from './http-log.ts'
import { ipRestriction } from './ip-restriction.ts'
import { jwt } from './jwt.ts'
import { keyAuth } from './key-auth.ts'
import { loadShedding } from './load-shedding.ts'
import { opentelemetry } from './opentelemetry.ts'
import type { PluginDefinition } from './plugin.ts'
import { prometheus } from './prometheus.ts'
import { proxyCache } from './proxy-cache.ts'
import { proxyMirror } from './proxy-mirror.ts'
import { rateLimiting } from './rate-limiting.ts'
import { requestSizeLimiting } from './request-size-limiting.ts'
import { requestTermination } from './request-termination.ts'
import { requestTransformer } from './request-transformer.ts'
import { requestValidator } from './request-validator.ts'
import { responseTransformer } from './response-transformer.ts'

export { createFileLog } from './file-log.ts'
export {
  gatewayPlugin,
  type OwnPhases,
  type OwnPlugin,
  type PluginExchange,
  withOwnPlugins,
} from './own-plugin.ts'
export type { PluginDefinition, PluginInstance, PluginScope } from './plugin.ts'

/** Every plugin that can be configured. Another plugin is another file here, and nothing else. */
export const plugins: readonly PluginDefinition[] = [
  correlationId,
  proxyMirror,
  botDetection,
  cors,
  jwt,
  keyAuth,
  basicAuth,
  requestValidator,
  ipRestriction,
  requestSizeLimiting,
  acl,
  rateLimiting,
  loadShedding,
  requestTransformer,
  responseTransformer,
  proxyCache,
  canary,
  opentelemetry,
  prometheus,
  httpLog,
  createFileLog(undefined),
  requestTermination,
]
