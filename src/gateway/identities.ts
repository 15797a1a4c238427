import type {
  BasicAuthCredentialEntity,
  ConsumerEntity,
  GatewayConfig,
  JwtSecretEntity,
  KeyAuthCredentialEntity,
} from './config/entities.ts'

/** The consumers and credentials of one snapshot, by what requests carry. */
export type Identities = {
  consumer(id: string): ConsumerEntity | undefined
  /** By id or by username, as `anonymous` of authentication plugins may name it. */
  consumerNamed(name: string): ConsumerEntity | undefined
  /** By one of the names that a consumer has elsewhere. */
  consumerBy(field: 'username' | 'custom_id', name: string): ConsumerEntity | undefined
  keyAuth(key: string): KeyAuthCredentialEntity | undefined
  jwtSecret(key: string): JwtSecretEntity | undefined
  basicAuth(username: string): BasicAuthCredentialEntity | undefined
  /** The groups of a consumer, sorted; the same list until the configuration changes. */
  groups(consumerId: string): readonly string[]
}

export function indexIdentities(config: GatewayConfig): Identities {
  const consumers = new Map(config.consumers.map((consumer) => [consumer.id, consumer]))
  const usernames = new Map(config.consumers.map((consumer) => [consumer.username, consumer]))
  const customIds = new Map(config.consumers.map((consumer) => [consumer.custom_id, consumer]))
  const keys = new Map(config.keyAuthCredentials.map((credential) => [credential.key, credential]))
  const secrets = new Map(config.jwtSecrets.map((secret) => [secret.key, secret]))
  const logins = new Map(config.basicAuthCredentials.map((credential) => [credential.username, credential]))
  const groups = groupsByConsumer(config)
  return {
    consumer: (id) => consumers.get(id),
    consumerNamed: (name) => consumers.get(name) ?? usernames.get(name),
    consumerBy: (field, name) => (field === 'username' ? usernames : customIds).get(name),
    keyAuth: (key) => keys.get(key),
    jwtSecret: (key) => secrets.get(key),
    basicAuth: (username) => logins.get(username),
    groups: (consumerId) => groups.get(consumerId) ?? NO_GROUPS,
  }
}

const NO_GROUPS: readonly string[] = []

function groupsByConsumer({ acls }: GatewayConfig): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>()
  for (const { group, consumer } of acls) {
    const known = groups.get(consumer.id)
    if (known === undefined) groups.set(consumer.id, [group])
    else known.push(group)
  }
  for (const known of groups.values()) known.sort()
  return groups
}
