import { type Field, httpProtocols, noConsumer, type PluginSchema } from '../config/schema.ts'
import type { Exchange } from '../exchange.ts'
import { headerText } from '../identity-headers.ts'
import { flag } from './authentication.ts'
import type { PluginDefinition, PluginScope } from './plugin.ts'

/** Lets in, or keeps out, consumers by their groups. Source: Kong 3.9, `kong/plugins/acl`. */
type Config = {
  readonly allow: readonly string[] | null
  readonly deny: readonly string[] | null
  readonly hide_groups_header: boolean
  readonly always_use_authenticated_groups: boolean
}

const groups = (description: string): Field => ({ type: 'array', elements: { type: 'string' }, description })

const schema: PluginSchema = {
  name: 'acl',
  fields: [
    { consumer: noConsumer },
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          { allow: groups('Groups that may use the service, and no others.') },
          { deny: groups('Groups that may not use the service.') },
          { hide_groups_header: flag(false, 'Whether to keep the groups from the upstream.') },
          {
            include_consumer_groups: {
              ...flag(false, 'Whether consumer groups count too.'),
              custom_validator: (value: boolean) =>
                value ? 'consumer groups are not available yet: leave this false' : undefined,
            },
          },
          {
            always_use_authenticated_groups: flag(
              false,
              'Whether groups that authentication found go before those of the consumer.',
            ),
          },
        ],
      },
    },
  ],
  entity_checks: [
    { only_one_of: ['config.allow', 'config.deny'] },
    { at_least_one_of: ['config.allow', 'config.deny'] },
  ],
}

export const acl: PluginDefinition = {
  name: 'acl',
  version: '3.9.1',
  priority: 950,
  schema,
  create(raw, scope) {
    const config = raw as Config
    const denies = config.deny !== null && config.deny.length > 0
    const listed = new Set(denies ? config.deny : config.allow)
    return {
      access(exchange) {
        const found = groupsOf(exchange, config, scope)
        if (found === undefined) return refuseUnknown(exchange)
        if (found.groups.some((group) => listed.has(group)) === denies) return refuse(exchange)
        if (config.hide_groups_header || found.groups.length === 0) return undefined
        exchange.headers[found.header] = headerText(found.groups.join(', '))
        return undefined
      },
    }
  },
}

type Groups = { readonly groups: readonly string[]; readonly header: 'x-consumer-groups' | 'x-authenticated-groups' }

/** Undefined when nobody has said who calls. */
function groupsOf(exchange: Exchange, config: Config, scope: PluginScope): Groups | undefined {
  const { consumer, credential, authenticatedGroups } = exchange
  const isOwn = consumer !== undefined && credential !== undefined && !config.always_use_authenticated_groups
  if (authenticatedGroups !== undefined && !isOwn)
    return { groups: authenticatedGroups, header: 'x-authenticated-groups' }
  return consumer && { groups: scope.identities().groups(consumer.id), header: 'x-consumer-groups' }
}

function refuseUnknown(exchange: Exchange): undefined {
  return exchange.credential === undefined ? exchange.exit(401, 'Unauthorized') : refuse(exchange)
}

function refuse(exchange: Exchange): undefined {
  return exchange.exit(403, 'You cannot consume this service')
}
