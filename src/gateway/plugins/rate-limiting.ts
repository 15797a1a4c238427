import { pluginStoreUnavailable } from '../channels.ts'
import { type Exchange, type HeaderName, headerName } from '../exchange.ts'
import { LocalCounts, localLimiter } from '../rate-limit/engines/local.ts'
import { redisLimiter } from '../rate-limit/engines/redis.ts'
import { boundedIdentifier } from '../rate-limit/identifier-numbers.ts'
import type { Limit, LimiterRules, RateLimiter, Verdict } from '../rate-limit/limiter.ts'
import { PERIODS } from '../rate-limit/windows.ts'
import { RedisConnection } from '../stores/redis-connection.ts'
import type { PluginDefinition, PluginScope } from './plugin.ts'
import { type RateLimitingConfig, rateLimitingSchema } from './rate-limiting-schema.ts'

/**
 * At most so many requests per window and identifier, in this gateway or in all that share a Redis. Checking and
 * counting are one step, so that no burst gets past the limit; a request that is refused counts nowhere.
 * Source: Kong 3.9, `kong/plugins/rate-limiting`.
 */
export const rateLimiting: PluginDefinition = {
  name: 'rate-limiting',
  version: '3.9.1',
  priority: 910,
  schema: rateLimitingSchema,
  create(raw, scope) {
    const config = raw as RateLimitingConfig
    const limits = limitsOf(config)
    const limiter = limiterOf(config, { limits, windowType: config.window_type }, scope)
    const rule: Rule = { config, limits: limits.map(describeLimit), pluginId: scope.entity.id }
    return {
      access(exchange) {
        const verdict = limiter.take(boundedIdentifier(identifierOf(exchange, config)), scope.clock.now())
        if (!(verdict instanceof Promise)) return apply(exchange, verdict, rule)
        return verdict.then(
          (known) => apply(exchange, known, rule),
          (error: unknown) => passUnlimited(error, rule),
        )
      },
    }
  },
}

type DescribedLimit = {
  readonly limitText: string
  readonly limitHeader: HeaderName
  readonly remainingHeader: HeaderName
}

type Rule = {
  readonly config: RateLimitingConfig
  readonly limits: readonly DescribedLimit[]
  readonly pluginId: string
}

const LIMIT = headerName('RateLimit-Limit')
const REMAINING = headerName('RateLimit-Remaining')
const RESET = headerName('RateLimit-Reset')
const RETRY_AFTER = headerName('Retry-After')

function limiterOf(config: RateLimitingConfig, rules: LimiterRules, scope: PluginScope): RateLimiter {
  const { redis } = config
  if (config.policy === 'local')
    return localLimiter(
      rules,
      scope.keep(() => new LocalCounts()),
    )
  const connection = scope.share(RedisConnection.nameOf(redis), () => new RedisConnection(redis))
  return redisLimiter({ ...rules, name: scope.entity.id }, connection)
}

function apply(exchange: Exchange, verdict: Verdict, { config, limits }: Rule): undefined {
  const resetText = config.hide_client_headers ? '' : setHeaders(exchange, verdict, limits)
  if (verdict.passes) return undefined
  if (!config.hide_client_headers) exchange.setReplyHeader(RETRY_AFTER, resetText)
  return exchange.exit(config.error_code, config.error_message)
}

/** The counts cannot be reached: without a limit and its headers, or not at all. */
function passUnlimited(error: unknown, { config, pluginId }: Rule): undefined {
  if (!config.fault_tolerant) throw error
  pluginStoreUnavailable.publish({ plugin: pluginId, error })
  return undefined
}

/** Limit and remaining of every window, and of the tightest once more in the standard's form. Answers its reset. */
function setHeaders(exchange: Exchange, { usages }: Verdict, limits: readonly DescribedLimit[]): string {
  let tightest = limits[0]
  let least = Number.POSITIVE_INFINITY
  let resetMs = 0
  for (const [index, limit] of limits.entries()) {
    const usage = usages[index]
    if (usage === undefined) continue
    exchange.setReplyHeader(limit.limitHeader, limit.limitText)
    exchange.setReplyHeader(limit.remainingHeader, String(usage.remaining))
    // Windows come shortest first: of equals, the longer one is the tighter.
    if (usage.remaining > least) continue
    least = usage.remaining
    tightest = limit
    resetMs = usage.resetMs
  }
  const resetText = String(Math.max(1, Math.ceil(resetMs / 1000)))
  exchange.setReplyHeader(LIMIT, tightest?.limitText ?? '')
  exchange.setReplyHeader(REMAINING, String(least))
  exchange.setReplyHeader(RESET, resetText)
  return resetText
}

/** Whose requests are counted together. Without what the limit is by, the client's address. */
function identifierOf(exchange: Exchange, config: RateLimitingConfig): string {
  return named(exchange, config) || exchange.clientIp || 'unknown'
}

function named(exchange: Exchange, config: RateLimitingConfig): string | undefined {
  switch (config.limit_by) {
    case 'consumer':
      return exchange.consumer?.id ?? exchange.credential?.id
    case 'credential':
      return exchange.credential?.id
    case 'service':
      return exchange.target?.service?.id
    case 'header': {
      const value = exchange.headers[config.header_name?.toLowerCase() ?? '']
      return typeof value === 'string' ? value : value?.[0]
    }
    case 'path':
      return exchange.path === config.path ? exchange.path : undefined
    case 'ip':
      return undefined
  }
}

function limitsOf(config: RateLimitingConfig): Limit[] {
  return PERIODS.flatMap((period) => {
    const count = config[period]
    return count === null ? [] : { period, count }
  })
}

function describeLimit({ period, count }: Limit): DescribedLimit {
  const name = period.charAt(0).toUpperCase() + period.slice(1)
  return {
    limitText: String(count),
    limitHeader: headerName(`X-RateLimit-Limit-${name}`),
    remainingHeader: headerName(`X-RateLimit-Remaining-${name}`),
  }
}
