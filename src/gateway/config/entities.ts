import type { Lifecycle } from '../../core/index.ts'
import type { JwtAlgorithm } from './jwt-algorithms.ts'
import type { TargetEntity, UpstreamEntity } from './upstream-entities.ts'

/**
 * The gateway's configuration as Kong's Admin API shows it: snake_case, every field present, `null` where unset.
 * Times are whole seconds since the Unix epoch, timeouts are milliseconds.
 */
export type Reference = { readonly id: string }

type Common = {
  readonly id: string
  readonly created_at: number
  readonly updated_at: number
  readonly tags: readonly string[] | null
}

export type Protocol = 'grpc' | 'grpcs' | 'http' | 'https' | 'tcp' | 'tls' | 'tls_passthrough' | 'udp'

/** Something to proxy to. */
export type ServiceEntity = Common & {
  readonly name: string | null
  readonly host: string
  readonly protocol: Protocol
  readonly port: number
  readonly path: string | null
  readonly retries: number
  readonly connect_timeout: number
  readonly write_timeout: number
  readonly read_timeout: number
  readonly enabled: boolean
  readonly client_certificate: Reference | null
  readonly tls_verify: boolean | null
  readonly tls_verify_depth: number | null
  readonly ca_certificates: readonly string[] | null
}

export type StreamEndpoint = { readonly ip: string | null; readonly port: number | null }

/** Which requests go to which service. */
export type RouteEntity = Common & {
  readonly name: string | null
  readonly protocols: readonly Protocol[]
  readonly methods: readonly string[] | null
  readonly hosts: readonly string[] | null
  /** A prefix, or a regular expression behind `~`. */
  readonly paths: readonly string[] | null
  readonly headers: Readonly<Record<string, readonly string[]>> | null
  readonly snis: readonly string[] | null
  readonly sources: readonly StreamEndpoint[] | null
  readonly destinations: readonly StreamEndpoint[] | null
  readonly https_redirect_status_code: number
  readonly regex_priority: number
  readonly strip_path: boolean
  readonly path_handling: 'v0' | 'v1'
  readonly preserve_host: boolean
  readonly request_buffering: boolean
  readonly response_buffering: boolean
  readonly service: Reference | null
}

/** Who calls. */
export type ConsumerEntity = Common & {
  readonly username: string | null
  readonly custom_id: string | null
}

export type KeyAuthCredentialEntity = Omit<Common, 'updated_at'> & {
  readonly key: string
  /** Seconds left to live, null for ever. */
  readonly ttl: number | null
  readonly consumer: Reference
}

/** A key under which the tokens of a consumer are signed. */
export type JwtSecretEntity = Omit<Common, 'updated_at'> & {
  readonly key: string
  readonly secret: string
  /** PEM, of any kind of key in spite of its name. */
  readonly rsa_public_key: string | null
  readonly algorithm: JwtAlgorithm
  readonly consumer: Reference
}

export type BasicAuthCredentialEntity = Omit<Common, 'updated_at'> & {
  readonly username: string
  /** As `password.ts` stores it, never as it was sent. */
  readonly password: string
  readonly consumer: Reference
}

/** That a consumer belongs to a group. */
export type AclEntity = Omit<Common, 'updated_at'> & { readonly group: string; readonly consumer: Reference }

/** A plugin's configuration and scope: global when service, route and consumer are all null. */
export type PluginEntity = Common & {
  readonly name: string
  readonly instance_name: string | null
  readonly config: Readonly<Record<string, unknown>>
  readonly enabled: boolean
  readonly protocols: readonly Protocol[]
  readonly service: Reference | null
  readonly route: Reference | null
  readonly consumer: Reference | null
}

/** What the TLS port shows for names of it; PEM. The alternative has a key of another kind. */
export type CertificateEntity = Common & {
  readonly cert: string
  readonly key: string
  readonly cert_alt: string | null
  readonly key_alt: string | null
}

/** A name that clients ask for, `example.com` or with one wildcard, and its certificate. */
export type SniEntity = Common & { readonly name: string; readonly certificate: Reference }

/** An authority, as PEM, that a service's certificate may be from. */
export type CaCertificateEntity = Common & { readonly cert: string; readonly cert_digest: string }

/** One immutable, consistent state of the configuration, which the data plane compiles. Every list is sorted by id. */
export type GatewayConfig = {
  /** Grows with every write by anyone; 0 before the first. */
  readonly version: number
  readonly services: readonly ServiceEntity[]
  readonly routes: readonly RouteEntity[]
  readonly consumers: readonly ConsumerEntity[]
  readonly keyAuthCredentials: readonly KeyAuthCredentialEntity[]
  readonly jwtSecrets: readonly JwtSecretEntity[]
  readonly basicAuthCredentials: readonly BasicAuthCredentialEntity[]
  readonly acls: readonly AclEntity[]
  readonly plugins: readonly PluginEntity[]
  readonly upstreams: readonly UpstreamEntity[]
  readonly targets: readonly TargetEntity[]
  readonly certificates: readonly CertificateEntity[]
  readonly snis: readonly SniEntity[]
  readonly caCertificates: readonly CaCertificateEntity[]
}

/** What the data plane needs of the store: the current state, and a call with every new one. */
export type ConfigSource = {
  /** The state in force. The same object until something changes. */
  snapshot(): GatewayConfig
  /** Calls `listener` with every later snapshot, synchronously when it comes into force; answers how to stop. */
  subscribe(listener: (config: GatewayConfig) => void): () => void
}

/** A stored entity of any kind, by field name. */
export type Entity = Readonly<Record<string, unknown>>

export type ConfigPage = { readonly entities: readonly Entity[]; readonly next: string | undefined }

/**
 * The configuration in PostgreSQL. Kinds are named as in Kong (`services`, `keyauth_credentials`). A write is one
 * transaction; when it resolves, this process's snapshot already contains it. Writes throw an `ApiError` for a unique
 * or foreign key violation.
 */
export type ConfigStore = ConfigSource &
  Lifecycle & {
    get(kind: string, by: EntityLookup): Promise<Entity | undefined>
    /** Entities by id, after the id `after`, at most `size` (1..1000). */
    page(kind: string, options: PageOptions): Promise<ConfigPage>
    insert(kind: string, entity: Entity): Promise<Entity>
    /**
     * Creates the entity or replaces it whole: the one with its id, or with the value of `by`, whose id is then kept.
     */
    upsert(kind: string, entity: Entity, by?: EntityLookup): Promise<Entity>
    /** Changes what is there by `change`, under a row lock; undefined when it does not exist. */
    update(kind: string, id: string, change: (current: Entity) => Entity): Promise<Entity | undefined>
    /** Deletes with everything that cascades; false when it did not exist. */
    delete(kind: string, id: string): Promise<boolean>
    /** Whether the database answers now. */
    reachable(): Promise<boolean>
  }

/** By id, or by the value of a unique field (`{ field: 'username', value: 'bob' }`). */
export type EntityLookup = { readonly field: string; readonly value: string }

export type PageOptions = {
  readonly size: number
  readonly after?: string | undefined
  /** Only children of this parent. */
  readonly parent?: { readonly field: string; readonly id: string } | undefined
  /** Entities that carry all of these tags, or any of them. */
  readonly tags?: { readonly values: readonly string[]; readonly match: 'all' | 'any' } | undefined
}
