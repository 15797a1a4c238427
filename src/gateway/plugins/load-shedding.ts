import { type Field, httpProtocols, type PluginSchema } from '../config/schema.ts'
import type { Exchange } from '../exchange.ts'
import { AdaptiveLimit, type AdaptiveLimitRules } from './adaptive-limit.ts'
import type { PluginDefinition } from './plugin.ts'

/**
 * Refuses at once what a service could only answer late: its concurrency is limited, and the limit follows its
 * latency. Less important consumers are refused first. An extension: Kong has nothing like it. The order of priorities
 * is that of Google's criticality (Site Reliability Engineering, chapter 21).
 */
type Config = {
  readonly concurrency_initial: number
  readonly concurrency_min: number
  readonly concurrency_max: number
  readonly tolerance: number
  readonly high_priority_tags: readonly string[]
  readonly low_priority_tags: readonly string[]
  readonly retry_after: number
  readonly message: string
}

/** The part of the limit that is open to each priority: what is left is kept free for those above. */
const SHARES = { high: 1, normal: 0.9, low: 0.7 } as const

const concurrency = (initial: number, description: string): Field => ({
  type: 'integer',
  required: true,
  default: initial,
  between: [1, 100_000],
  description,
})

const tagSet = (which: string): Field => ({
  type: 'set',
  default: [],
  elements: { type: 'string' },
  description: `Consumers with one of these tags are ${which}.`,
})

const schema: PluginSchema = {
  name: 'load-shedding',
  fields: [
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        custom_validator: boundsError,
        fields: [
          { concurrency_initial: concurrency(20, 'Requests to one service at once, at first.') },
          { concurrency_min: concurrency(4, 'The least that the limit falls to.') },
          { concurrency_max: concurrency(1_000, 'The most that the limit rises to.') },
          {
            tolerance: {
              type: 'number',
              required: true,
              default: 1.5,
              between: [1, 10],
              description: 'How many times its unloaded latency a service may take before the limit falls.',
            },
          },
          { high_priority_tags: tagSet('refused last') },
          { low_priority_tags: tagSet('refused first') },
          {
            retry_after: {
              type: 'integer',
              required: true,
              default: 1,
              between: [1, 3_600],
              description: 'Seconds after which a refused client is asked to come again.',
            },
          },
          {
            message: { type: 'string', required: true, default: 'Service overloaded', description: 'What it is told.' },
          },
        ],
      },
    },
  ],
}

export const loadShedding: PluginDefinition = {
  name: 'load-shedding',
  version: '1.0.0',
  // Behind rate-limiting, which refuses whom it would have refused anyway, and before whatever costs more.
  priority: 905,
  schema,
  create(raw, scope) {
    const config = raw as Config
    const limits = scope.keep(() => new ServiceLimits())
    const rules: AdaptiveLimitRules = {
      initial: config.concurrency_initial,
      min: config.concurrency_min,
      max: config.concurrency_max,
      tolerance: config.tolerance,
    }
    const refusal = ['Retry-After', String(config.retry_after)]
    return {
      access(exchange) {
        const limit = limits.of(exchange.target?.service?.id ?? '', rules)
        if (!limit.tryEnter(SHARES[priorityOf(exchange, config)])) return exchange.exit(503, config.message, refusal)
        // Not in `log`: whatever becomes of the request and its plugins, its place must be given back.
        exchange.response.once('close', () => limit.leave(latencyOf(exchange), performance.now()))
        return undefined
      },
    }
  },
}

/** A limit for each service, which a change of the plugin's configuration starts anew. */
class ServiceLimits {
  readonly #limits = new Map<string, { readonly rules: string; readonly limit: AdaptiveLimit }>()

  of(service: string, rules: AdaptiveLimitRules): AdaptiveLimit {
    const known = this.#limits.get(service)
    const described = `${rules.initial} ${rules.min} ${rules.max} ${rules.tolerance}`
    if (known?.rules === described) return known.limit
    const limit = new AdaptiveLimit(rules)
    this.#limits.set(service, { rules: described, limit })
    return limit
  }
}

function priorityOf({ consumer }: Exchange, config: Config): keyof typeof SHARES {
  const tags = consumer?.tags ?? []
  if (tags.some((tag) => config.high_priority_tags.includes(tag))) return 'high'
  return tags.some((tag) => config.low_priority_tags.includes(tag)) ? 'low' : 'normal'
}

/** How long the service took; what it has not answered yet took at least until now. */
function latencyOf({ dispatchedAtMs, respondedAtMs }: Exchange): number | undefined {
  return dispatchedAtMs === undefined ? undefined : (respondedAtMs ?? performance.now()) - dispatchedAtMs
}

function boundsError(config: Readonly<Record<string, unknown>>): string | undefined {
  const { concurrency_min, concurrency_initial, concurrency_max } = config as Config
  const isOrdered = concurrency_min <= concurrency_initial && concurrency_initial <= concurrency_max
  return isOrdered ? undefined : 'concurrency_min, concurrency_initial and concurrency_max must be in this order'
}
