import { isIP, isIPv6 } from 'node:net'
import { blockList } from '../client-address.ts'
import type { Field, PluginSchema } from '../config/schema.ts'
import type { PluginDefinition } from './plugin.ts'

/** Lets in, or keeps out, clients by their address; `deny` wins. Source: Kong 3.9, `kong/plugins/ip-restriction`. */
type Config = {
  readonly allow: readonly string[] | null
  readonly deny: readonly string[] | null
  readonly status: number | null
  readonly message: string | null
}

const addresses = (description: string): Field => ({
  type: 'array',
  elements: { type: 'string', custom_validator: rangeError },
  description,
})

const PROTOCOLS = ['grpc', 'grpcs', 'http', 'https', 'tcp', 'tls']

const schema: PluginSchema = {
  name: 'ip-restriction',
  fields: [
    {
      protocols: {
        type: 'set',
        required: true,
        default: PROTOCOLS,
        elements: { type: 'string', one_of: PROTOCOLS },
        description: 'A set of strings representing protocols.',
      },
    },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          { allow: addresses('Addresses and CIDR ranges that may call, and no others.') },
          { deny: addresses('Addresses and CIDR ranges that may not call.') },
          { status: { type: 'number', between: [400, 599], description: 'The status of a refused request.' } },
          { message: { type: 'string', description: 'The message of its body.' } },
        ],
      },
    },
  ],
  entity_checks: [{ at_least_one_of: ['config.allow', 'config.deny'] }],
}

export const ipRestriction: PluginDefinition = {
  name: 'ip-restriction',
  version: '3.9.1',
  priority: 990,
  schema,
  create(raw) {
    const { allow, deny, status, message } = raw as Config
    const allowed = allow === null || allow.length === 0 ? undefined : blockList(allow)
    const denied = blockList(deny ?? [])
    return {
      access(exchange) {
        const ip = exchange.clientIp
        if (isIP(ip) === 0) return exchange.exit(403, 'Cannot identify the client IP address')
        const family = isIPv6(ip) ? 'ipv6' : 'ipv4'
        if (!denied.check(ip, family) && (allowed === undefined || allowed.check(ip, family))) return undefined
        return exchange.exit(status ?? 403, message ?? `IP address not allowed: ${ip}`)
      },
    }
  },
}

/** Of `::1`, `10.0.0.1`, `10.0.0.0/8`. */
function rangeError(value: string): string | undefined {
  const [address = '', bits, ...rest] = value.split('/')
  const family = isIP(address)
  const isLength = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32))
  return family > 0 && isLength && rest.length === 0 ? undefined : `invalid ip or cidr range: '${value}'`
}
