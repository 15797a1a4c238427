import type { Clock } from '../../core/index.ts'
import { type Exchange, type HeaderName, headerName } from '../exchange.ts'
import type { PluginDefinition } from './plugin.ts'
import { type RateLimitingConfig, rateLimitingSchema } from './rate-limiting-schema.ts'
import { boundedIdentifier, PERIODS, type Period, WindowCounts } from './windows.ts'

/**
 * At most so many requests per calendar window and identifier. Checking and counting are one step, so that no burst
 * gets past the limit; a request that is refused counts nowhere. Source: Kong 3.9, `kong/plugins/rate-limiting`.
 */
export const rateLimiting: PluginDefinition = {
  name: 'rate-limiting',
  version: '3.9.1',
  priority: 910,
  schema: rateLimitingSchema,
  create(raw, scope) {
    const config = raw as RateLimitingConfig
    if (config.policy !== 'local') throw new Error(`its policy "${config.policy}" is not available`)
    const counts = scope.keep(() => new Map<Period, WindowCounts>())
    const windows = windowsOf(config, counts)
    return {
      access(exchange) {
        limit(exchange, { config, windows, clock: scope.clock })
        return undefined
      },
    }
  },
}

type Window = {
  readonly limit: number
  readonly limitText: string
  readonly limitHeader: HeaderName
  readonly remainingHeader: HeaderName
  readonly counts: WindowCounts
}

type Limiter = { readonly config: RateLimitingConfig; readonly windows: readonly Window[]; readonly clock: Clock }

const LIMIT = headerName('RateLimit-Limit')
const REMAINING = headerName('RateLimit-Remaining')
const RESET = headerName('RateLimit-Reset')
const RETRY_AFTER = headerName('Retry-After')

function limit(exchange: Exchange, { config, windows, clock }: Limiter): void {
  const identifier = boundedIdentifier(identifierOf(exchange, config))
  const nowMs = clock.now()
  let exhausted: Window | undefined
  for (const window of windows) {
    window.counts.enter(nowMs)
    if (window.counts.count(identifier) >= window.limit) exhausted = window
  }
  if (exhausted === undefined) for (const window of windows) window.counts.increment(identifier)
  const resetText = config.hide_client_headers ? '' : setHeaders(exchange, { windows, identifier, nowMs })
  if (exhausted === undefined) return
  if (!config.hide_client_headers) exchange.setReplyHeader(RETRY_AFTER, resetText)
  exchange.exit(config.error_code, config.error_message)
}

type Usage = { readonly windows: readonly Window[]; readonly identifier: string; readonly nowMs: number }

/** Limit and remaining of every window, and of the tightest once more in the standard's form. Answers its reset. */
function setHeaders(exchange: Exchange, { windows, identifier, nowMs }: Usage): string {
  let tightest: Window | undefined
  let least = Number.POSITIVE_INFINITY
  for (const window of windows) {
    const remaining = Math.max(0, window.limit - window.counts.count(identifier))
    exchange.setReplyHeader(window.limitHeader, window.limitText)
    exchange.setReplyHeader(window.remainingHeader, String(remaining))
    // Windows come shortest first: of equals, the longer one is the tighter.
    if (remaining > least) continue
    least = remaining
    tightest = window
  }
  const endsAtMs = tightest?.counts.enter(nowMs).endsAtMs ?? nowMs
  const resetText = String(Math.max(1, Math.ceil((endsAtMs - nowMs) / 1000)))
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

/** Counts outlive a change of the limits: raising a limit in mid-window does not give away the window once more. */
function windowsOf(config: RateLimitingConfig, counts: Map<Period, WindowCounts>): Window[] {
  return PERIODS.flatMap((period) => {
    const limit = config[period]
    if (limit === null) return []
    const counted = counts.get(period) ?? new WindowCounts(period)
    counts.set(period, counted)
    const name = period.charAt(0).toUpperCase() + period.slice(1)
    return {
      limit,
      limitText: String(limit),
      limitHeader: headerName(`X-RateLimit-Limit-${name}`),
      remainingHeader: headerName(`X-RateLimit-Remaining-${name}`),
      counts: counted,
    }
  })
}
