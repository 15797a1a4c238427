import { LRUCache } from 'lru-cache'
import { type Field, httpProtocols, noConsumer, type PluginSchema } from '../config/schema.ts'
import type { Exchange } from '../exchange.ts'
import { USER_AGENTS_MAX } from '../limits.ts'
import type { PluginDefinition } from './plugin.ts'

/** Keeps out programs that crawl, by what they call themselves. Source: Kong 3.9, `kong/plugins/bot-detection`. */
type Config = { readonly allow: readonly string[]; readonly deny: readonly string[] }

const patterns = (description: string): Field => ({
  type: 'array',
  default: [],
  elements: { type: 'string', custom_validator: patternError },
  description,
})

const schema: PluginSchema = {
  name: 'bot-detection',
  fields: [
    { consumer: noConsumer },
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          { allow: patterns('Regular expressions of User-Agent that may call, whatever else matches.') },
          { deny: patterns('Regular expressions of User-Agent that may not, besides known crawlers.') },
        ],
      },
    },
  ],
}

export const botDetection: PluginDefinition = {
  name: 'bot-detection',
  version: '3.9.1',
  priority: 2500,
  schema,
  create(raw) {
    const config = raw as Config
    const allowed = config.allow.map((pattern) => new RegExp(pattern))
    const denied = [...config.deny.map((pattern) => new RegExp(pattern)), ...CRAWLERS]
    const verdicts = new LRUCache<string, boolean>({ max: USER_AGENTS_MAX })
    const isDenied = (agent: string) => {
      const known = verdicts.get(agent)
      if (known !== undefined) return known
      const isMatch = (pattern: RegExp) => pattern.test(agent)
      const verdict = !allowed.some(isMatch) && denied.some(isMatch)
      verdicts.set(agent, verdict)
      return verdict
    }
    return {
      access(exchange) {
        const agent = exchange.headers['user-agent']
        if (agent === undefined) return undefined
        if (agentCount(exchange) > 1) return exchange.exit(400, 'Only one User-Agent header allowed')
        return isDenied(agent.trim()) ? exchange.exit(403, 'Forbidden') : undefined
      },
    }
  },
}

/** What crawlers call themselves: by trade, by name, or as the service of others. Telephones of Cubot are none. */
const CRAWLERS = [
  /(?:archiver|indexer|scraper|(?<!cu)bots?|spider|crawler?|crawling)(?![a-z])/i,
  /\b(?:slurp|teoma|ask jeeves|httrack|pingdom|facebookexternalhit|feedfetcher|mediapartners-google)\b/i,
  /\b(?:adsbot|apis-google|appengine-google|google-read-aloud|bingpreview|yandeximages|embedly|quora link preview)\b/i,
]

/** Node keeps the first of several; which of them counts must not be the client's choice. */
function agentCount({ request: { rawHeaders } }: Exchange): number {
  let count = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.length === 10 && rawHeaders[index]?.toLowerCase() === 'user-agent') count += 1
  }
  return count
}

function patternError(value: string): string | undefined {
  try {
    new RegExp(value)
    return undefined
  } catch {
    return `not a valid regex: ${value}`
  }
}
