import type { ConsumerEntity, GatewayConfig, KeyAuthCredentialEntity } from './config/entities.ts'

/** The consumers and credentials of one snapshot, by what requests carry. */
export type Identities = {
  consumer(id: string): ConsumerEntity | undefined
  /** By id or by username, as `anonymous` of authentication plugins may name it. */
  consumerNamed(name: string): ConsumerEntity | undefined
  keyAuth(key: string): KeyAuthCredentialEntity | undefined
}

export function indexIdentities(config: GatewayConfig): Identities {
  const consumers = new Map(config.consumers.map((consumer) => [consumer.id, consumer]))
  const usernames = new Map(config.consumers.map((consumer) => [consumer.username, consumer]))
  const keys = new Map(config.keyAuthCredentials.map((credential) => [credential.key, credential]))
  return {
    consumer: (id) => consumers.get(id),
    consumerNamed: (name) => consumers.get(name) ?? usernames.get(name),
    keyAuth: (key) => keys.get(key),
  }
}
