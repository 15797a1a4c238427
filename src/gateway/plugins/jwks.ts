import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { Agent, request } from 'undici'
import { type Clock, messageOf } from '../../core/index.ts'
import { configProblem } from '../channels.ts'
import { isRecord } from '../config/values.ts'
import {
  JWKS_AGE_MS_MAX,
  JWKS_BYTES_MAX,
  JWKS_FETCH_INTERVAL_MS,
  JWKS_FRESH_MS,
  JWKS_KEYS_MAX,
  JWKS_TIMEOUT_MS,
} from '../limits.ts'

/** Where keys are published: at `uri`, or where the discovery document of `issuer` says. At least one is given. */
export type KeySource = { readonly issuer: string | null; readonly uri: string | null }

type PublishedKey = { readonly id: string | undefined; readonly key: KeyObject }

/**
 * The keys of one issuer, fetched when a token needs them. States by age: none → fresh → stale, fetched again in the
 * background while they serve → expired, as good as none. A key id that is not known means that the issuer has new
 * keys, or that somebody made it up: it is looked for at the issuer, but rarely.
 */
export class PublishedKeys {
  readonly #source: KeySource
  readonly #clock: Clock
  #keys: readonly PublishedKey[] = []
  #fetchedAtMs = Number.NEGATIVE_INFINITY
  #triedAtMs = Number.NEGATIVE_INFINITY
  #fetching: Promise<void> | undefined

  constructor(source: KeySource, clock: Clock) {
    this.#source = source
    this.#clock = clock
  }

  isFrom({ issuer, uri }: KeySource): boolean {
    return this.#source.issuer === issuer && this.#source.uri === uri
  }

  /** The keys that a token with this key id may be signed with; undefined when none can be had now. */
  find(id: string | undefined): readonly KeyObject[] | undefined | Promise<readonly KeyObject[] | undefined> {
    const ageMs = this.#clock.now() - this.#fetchedAtMs
    const known = this.#known(id)
    if (known !== undefined && known.length > 0) {
      if (ageMs > JWKS_FRESH_MS) this.#fetch()
      return known
    }
    const fetching = this.#fetch()
    return fetching === undefined ? known : fetching.then(() => this.#known(id))
  }

  #known(id: string | undefined): readonly KeyObject[] | undefined {
    if (this.#clock.now() - this.#fetchedAtMs > JWKS_AGE_MS_MAX) return undefined
    return this.#keys.filter((published) => id === undefined || published.id === id).map(({ key }) => key)
  }

  /** The fetch under way, a new one, or undefined when the last one was too short a while ago. Never rejects. */
  #fetch(): Promise<void> | undefined {
    if (this.#fetching !== undefined) return this.#fetching
    const nowMs = this.#clock.now()
    if (nowMs - this.#triedAtMs < JWKS_FETCH_INTERVAL_MS) return undefined
    this.#triedAtMs = nowMs
    this.#fetching = fetchKeys(this.#source)
      .then((keys) => {
        this.#keys = keys
        this.#fetchedAtMs = nowMs
      })
      .catch((error: unknown) => {
        const from = this.#source.uri ?? this.#source.issuer
        configProblem.publish({ message: `jwt: the keys of ${from} cannot be fetched: ${messageOf(error)}` })
      })
      .finally(() => {
        this.#fetching = undefined
      })
    return this.#fetching
  }
}

/** Source: RFC 7517; OpenID Connect Discovery 1.0, 4. */
async function fetchKeys({ issuer, uri }: KeySource): Promise<readonly PublishedKey[]> {
  const signal = AbortSignal.timeout(JWKS_TIMEOUT_MS)
  const agent = new Agent({ pipelining: 0 })
  try {
    const found = uri ?? (await discover(String(issuer), { signal, agent }))
    const { keys } = await fetchJson(found, { signal, agent })
    if (!Array.isArray(keys)) throw new Error(`${found} is no key set`)
    const usable = keys.slice(0, JWKS_KEYS_MAX).flatMap(publishedKey)
    if (usable.length === 0) throw new Error(`${found} has no key that verifies signatures`)
    return usable
  } finally {
    await agent.destroy()
  }
}

type Fetch = { readonly signal: AbortSignal; readonly agent: Agent }

/** The document must be the issuer's own, and must not lead from https to http. */
async function discover(issuer: string, fetch: Fetch): Promise<string> {
  const document = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, fetch)
  if (document.issuer !== issuer) throw new Error(`its discovery document is of ${String(document.issuer)}`)
  const uri = document.jwks_uri
  if (typeof uri !== 'string' || !URL.canParse(uri)) throw new Error('its discovery document names no jwks_uri')
  const { protocol } = new URL(uri)
  if (protocol !== 'https:' && protocol !== new URL(issuer).protocol) throw new Error(`its jwks_uri is ${protocol}`)
  return uri
}

async function fetchJson(url: string, { signal, agent }: Fetch): Promise<Record<string, unknown>> {
  const { statusCode, body } = await request(url, {
    dispatcher: agent,
    signal,
    headers: { accept: 'application/json' },
  })
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > JWKS_BYTES_MAX) throw new Error(`${url} answers with more than ${JWKS_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  if (statusCode !== 200) throw new Error(`${url} answers ${statusCode}`)
  const value: unknown = JSON.parse(Buffer.concat(chunks).toString())
  if (!isRecord(value)) throw new Error(`${url} is no JSON object`)
  return value
}

/** None for what is no public key for signatures, such as keys for encryption, or of kinds to come. */
function publishedKey(jwk: unknown): PublishedKey[] {
  if (!isRecord(jwk) || (jwk.use !== undefined && jwk.use !== 'sig')) return []
  try {
    const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })
    return [{ id: typeof jwk.kid === 'string' ? jwk.kid : undefined, key }]
  } catch {
    return [] // Of a kind that this Node does not know; the others of the set still count.
  }
}
