import { randomUUID } from 'node:crypto'
import { schemaViolation } from '../config/api-error.ts'
import type { Catalog } from '../config/catalog.ts'
import type { ConfigStore, Entity } from '../config/entities.ts'
import { CERTIFICATE_NAMES_MAX } from '../config/limits.ts'
import { prepareInsert } from '../config/prepare.ts'
import { isRecord, isUuid } from '../config/values.ts'
import type { Answer, Call, Endpoint, Input, Verb } from './answer.ts'
import type { Resources } from './resources.ts'

/**
 * Certificates as Kong shows them: each with its `snis`, sorted, which are entities of their own. What a client writes
 * there becomes these entities, after the certificate; left out, they stay. A name may stand for its certificate's id.
 * Source: Kong 3.9, `kong/db/dao/certificates.lua`.
 */
type Parts = { readonly store: ConfigStore; readonly catalog: Catalog; readonly resources: Resources }

export function certificatesAt(segments: readonly string[], parts: Parts): Endpoint | undefined {
  const [kind, key, ...rest] = segments
  if (kind !== 'certificates') return undefined
  if (key !== undefined && rest.length > 0) return beneath({ key, rest }, parts)
  const verbs: readonly Verb[] = key === undefined ? ['GET', 'POST'] : ['GET', 'PUT', 'PATCH', 'DELETE']
  const names = new CertificateNames(parts)
  return Object.fromEntries(verbs.map((verb) => [verb, (call: Call) => answer({ names, verb, key, call }, parts)]))
}

/** What belongs to a certificate, which a name may stand for here, too. */
function beneath({ key, rest }: { key: string; rest: readonly string[] }, parts: Parts): Endpoint | undefined {
  if (isUuid(key)) return undefined
  const at = (id: string) => parts.resources.at(['certificates', id, ...rest])
  const nobodys = at(randomUUID())
  const verbs = Object.keys(nobodys ?? {}) as readonly Verb[]
  const asked = (verb: Verb) => async (call: Call) => {
    const id = await new CertificateNames(parts).certificateOf(key)
    const run = (id === undefined ? nobodys : at(id))?.[verb]
    if (run === undefined) throw new Error(`${rest.join('/')} of certificates have no ${verb}`)
    return run(call)
  }
  return nobodys === undefined ? undefined : Object.fromEntries(verbs.map((verb) => [verb, asked(verb)]))
}

type Request = {
  readonly names: CertificateNames
  readonly verb: Verb
  readonly key: string | undefined
  readonly call: Call
}

async function answer({ names, verb, key, call }: Request, { resources }: Parts): Promise<Answer> {
  const found = key === undefined || isUuid(key) ? key : await names.certificateOf(key)
  // A PUT by a name that nobody has makes a certificate for that name.
  const isNew = verb === 'PUT' && key !== undefined && found === undefined
  const id = isNew ? randomUUID() : found
  let given: readonly string[] | undefined = isNew ? [key] : undefined
  const input = async (): Promise<Input> => {
    const { values, form } = await call.input()
    const { snis, ...others } = values
    given = namesIn(snis) ?? given
    if (given !== undefined) await names.assertUsable(given, id)
    return { values: others, form }
  }
  const target = id ?? key
  const run = resources.at(target === undefined ? ['certificates'] : ['certificates', target])?.[verb]
  if (run === undefined) throw new Error(`certificates have no ${verb}`)
  const done = await run({ ...call, input })
  if (!isRecord(done.body)) return done
  const { data } = done.body
  if (Array.isArray(data)) return { ...done, body: { ...done.body, data: await Promise.all(data.map(names.show)) } }
  if (given !== undefined) await names.replace(String(done.body.id), given)
  return { ...done, body: await names.show(done.body) }
}

/** As a list, or as a form's single value; null is none. */
function namesIn(snis: unknown): readonly string[] | undefined {
  if (snis === undefined) return undefined
  const list = snis === null || snis === '' ? [] : Array.isArray(snis) ? snis : [snis]
  if (!list.every((name) => typeof name === 'string')) throw schemaViolation({ snis: 'expected an array of strings' })
  if (list.length > CERTIFICATE_NAMES_MAX) {
    throw schemaViolation({ snis: `length must be at most ${CERTIFICATE_NAMES_MAX}` })
  }
  const twice = list.find((name, index) => list.indexOf(name) !== index)
  if (twice !== undefined) throw schemaViolation({ snis: `${twice} is duplicated` })
  return list
}

class CertificateNames {
  readonly #store: ConfigStore
  readonly #catalog: Catalog

  constructor({ store, catalog }: Parts) {
    this.#store = store
    this.#catalog = catalog
  }

  /** The id of the certificate that has this name. */
  async certificateOf(name: string): Promise<string | undefined> {
    if (name.includes('\0')) return undefined
    const sni = await this.#store.get('snis', { field: 'name', value: name })
    return isRecord(sni?.certificate) ? String(sni.certificate.id) : undefined
  }

  /** Throws an `ApiError` for what is no name, and for what is another certificate's. */
  async assertUsable(names: readonly string[], id: string | undefined): Promise<void> {
    for (const name of names) {
      this.#entity(name, id ?? randomUUID())
      const owner = await this.certificateOf(name)
      if (owner === undefined || owner === id) continue
      throw schemaViolation({ snis: `${name} already associated with existing certificate '${owner}'` })
    }
  }

  async replace(id: string, names: readonly string[]): Promise<void> {
    const before = await this.#of(id)
    for (const sni of before) if (!names.includes(String(sni.name))) await this.#store.delete('snis', String(sni.id))
    const kept = new Set(before.map((sni) => sni.name))
    for (const name of names) if (!kept.has(name)) await this.#store.insert('snis', this.#entity(name, id))
  }

  readonly show = async (certificate: Entity): Promise<Entity> => {
    const names = (await this.#of(String(certificate.id))).map((sni) => String(sni.name))
    return { ...certificate, snis: names.sort() }
  }

  async #of(id: string): Promise<readonly Entity[]> {
    const parent = { field: 'certificate', id }
    return (await this.#store.page('snis', { size: CERTIFICATE_NAMES_MAX, parent })).entities
  }

  #entity(name: string, id: string): Entity {
    return prepareInsert(this.#catalog, this.#catalog.kind('snis'), { name, certificate: { id } })
  }
}
