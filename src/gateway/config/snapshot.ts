import type { Entity, GatewayConfig } from './entities.ts'
import type { ChangeRow } from './entity-rows.ts'

/** The configuration in memory: applies changes and answers immutable snapshots that share what did not change. */
export class ConfigImage {
  readonly #kinds = new Map<string, Map<string, Entity>>()
  #config: GatewayConfig = {
    version: 0,
    services: [],
    routes: [],
    consumers: [],
    keyAuthCredentials: [],
    jwtSecrets: [],
    basicAuthCredentials: [],
    acls: [],
    plugins: [],
    upstreams: [],
    targets: [],
    certificates: [],
    snis: [],
    caCertificates: [],
  }

  get config(): GatewayConfig {
    return this.#config
  }

  /** Applies changes in order. With `anew`, they are everything there is. */
  apply(version: number, changes: readonly ChangeRow[], anew: boolean): void {
    if (anew) this.#kinds.clear()
    const touched = new Set<string>()
    for (const change of changes) {
      touched.add(change.kind)
      const entities = this.#kinds.get(change.kind) ?? new Map<string, Entity>()
      this.#kinds.set(change.kind, entities)
      if (change.body === null) entities.delete(change.id)
      else entities.set(change.id, deepFreeze(change.body))
    }
    const list = <T>(kind: string, before: readonly T[]): readonly T[] =>
      anew || touched.has(kind) ? (this.#sorted(kind) as readonly T[]) : before
    const before = this.#config
    this.#config = Object.freeze({
      version,
      services: list('services', before.services),
      routes: list('routes', before.routes),
      consumers: list('consumers', before.consumers),
      keyAuthCredentials: list('keyauth_credentials', before.keyAuthCredentials),
      jwtSecrets: list('jwt_secrets', before.jwtSecrets),
      basicAuthCredentials: list('basicauth_credentials', before.basicAuthCredentials),
      acls: list('acls', before.acls),
      plugins: list('plugins', before.plugins),
      upstreams: list('upstreams', before.upstreams),
      targets: list('targets', before.targets),
      certificates: list('certificates', before.certificates),
      snis: list('snis', before.snis),
      caCertificates: list('ca_certificates', before.caCertificates),
    })
  }

  #sorted(kind: string): readonly unknown[] {
    const entities = [...(this.#kinds.get(kind)?.values() ?? [])]
    return Object.freeze(entities.sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1)))
  }
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}
