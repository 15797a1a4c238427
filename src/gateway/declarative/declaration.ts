import { ApiError, type FieldErrors } from '../config/api-error.ts'
import { type Catalog, fieldsOf } from '../config/catalog.ts'
import type { Entity } from '../config/entities.ts'
import { DECLARED_ENTITIES_MAX } from '../config/limits.ts'
import { prepareInsert } from '../config/prepare.ts'
import type { EntitySchema } from '../config/schema.ts'
import { seedId } from '../config/seed.ts'
import { isRecord } from '../config/values.ts'
import { flattenedError, invalidDeclaration, placeError, setOwn, type WrongEntity } from './declaration-error.ts'
import { type ConfigDocument, readDocument } from './document.ts'
import { migratedRoute } from './migrated-route.ts'

/** Complete, valid entities by kind, parents before children, each list in the order of the document. */
export type Entities = ReadonlyMap<string, readonly Entity[]>

export type Declaration = { readonly entities: Entities; readonly notices: readonly string[] }

type Values = Readonly<Record<string, unknown>>
type Path = readonly (string | number)[]

/** An entity as the document has it: nested ones are taken out, and know whose they are. */
type Declared = { readonly values: Values; readonly path: Path; readonly parent: Parent | undefined }
type Parent = { readonly field: string; readonly of: Declared }

/**
 * Reads a declarative configuration: entities in lists by kind, or nested in the entity they belong to; parents are
 * named by id or by name. An entity without an id gets one that follows from its name and scope, the same at every
 * reading, so that what counts by id goes on counting. Throws an `ApiError` with everything that is wrong.
 */
export function readDeclaration(catalog: Catalog, text: string): Declaration {
  const document = readDocument(text)
  return { entities: entitiesIn(catalog, document), notices: document.notices }
}

export function entitiesIn(catalog: Catalog, document: Omit<ConfigDocument, 'notices'>): Entities {
  return new Reading(catalog, document).entities()
}

class Reading {
  readonly #catalog: Catalog
  readonly #document: Omit<ConfigDocument, 'notices'>
  readonly #declared = new Map<string, Declared[]>()
  readonly #ids = new Map<Declared, string>()
  /** Ids by kind and by id or name: what others may refer to. */
  readonly #named = new Map<string, Map<string, string>>()
  /** What else must not occur twice, by kind, field and value. */
  readonly #taken = new Set<string>()
  readonly #errors: FieldErrors = {}
  #count = 0
  readonly #wrong: WrongEntity[] = []

  constructor(catalog: Catalog, document: Omit<ConfigDocument, 'notices'>) {
    this.#catalog = catalog
    this.#document = document
  }

  entities(): Entities {
    for (const [name, list] of Object.entries(this.#document.collections)) this.#collect(name, list)
    const entities = new Map(
      this.#catalog.kinds.map((schema) => [
        schema.name,
        (this.#declared.get(schema.name) ?? []).flatMap((declared) => this.#completed(schema, declared)),
      ]),
    )
    if (Object.keys(this.#errors).length === 0) return entities
    throw new InvalidDeclaration(this.#errors, this.#wrong)
  }

  #collect(name: string, list: unknown): void {
    const schema = this.#catalog.kinds.find((kind) => kind.name === name)
    if (schema === undefined) setOwn(this.#errors, name, 'unknown field')
    else this.#collectList(schema, list, { path: [name], parent: undefined })
  }

  #collectList(schema: EntitySchema, list: unknown, place: { path: Path; parent: Parent | undefined }): void {
    if (list === null || list === undefined) return
    const { path, parent } = place
    if (!Array.isArray(list)) {
      placeError(this.#errors, path.slice(0, -1), { [String(path.at(-1))]: 'expected an array' })
      return
    }
    for (const [index, item] of list.entries()) {
      if (isRecord(item)) this.#collectEntity(schema, item, { path: [...path, index], parent })
      else placeError(this.#errors, [...path, index], { '@entity': ['expected a record'] })
    }
  }

  #collectEntity(schema: EntitySchema, item: Values, { path, parent }: Omit<Declared, 'values'>): void {
    const children = this.#catalog.childrenOf(schema.name).filter((child) => isNested(item[child.schema.name]))
    const names = new Set(children.map((child) => child.schema.name))
    const own = Object.fromEntries(Object.entries(item).filter(([name]) => !names.has(name) && name !== '_comment'))
    this.#count += 1
    if (this.#count > DECLARED_ENTITIES_MAX) {
      throw invalidDeclaration({ error: `there are more than ${DECLARED_ENTITIES_MAX} entities` })
    }
    const isMarked = schema.name !== 'routes' || this.#document.hasMarkedPatterns
    const declared = { values: isMarked ? own : migratedRoute(own), path, parent }
    const siblings = this.#declared.get(schema.name) ?? []
    this.#declared.set(schema.name, siblings)
    siblings.push(declared)
    for (const child of children) {
      const name = child.schema.name
      this.#collectList(child.schema, item[name], {
        path: [...path, name],
        parent: { field: child.field, of: declared },
      })
    }
  }

  /** None when something is wrong with it, which is then among the errors. */
  #completed(schema: EntitySchema, declared: Declared): readonly Entity[] {
    const errors: FieldErrors = {}
    const values = this.#withParents(schema, declared, errors)
    // One that is no text is refused when the entity is checked.
    const id =
      values.id !== undefined && values.id !== null
        ? values.id
        : seedId(schema.name, keyOf(schema, values, declared.path))
    this.#ids.set(declared, String(id))
    this.#take(schema, { ...values, id }, errors)
    // One that was made up is taken only where the name or scope is, which is said already.
    if (values.id === undefined) delete errors.id
    const entity = attempt(() => prepareInsert(this.#catalog, schema, { ...values, id }), errors)
    if (entity !== undefined && Object.keys(errors).length === 0) return [entity]
    placeError(this.#errors, declared.path, errors)
    this.#wrong.push({ kind: schema.name, values: declared.values, errors })
    return []
  }

  #withParents(schema: EntitySchema, { values, parent }: Declared, errors: FieldErrors): Values {
    const output: Record<string, unknown> = { ...values }
    for (const [name, field] of fieldsOf(schema.fields)) {
      if (field.type !== 'foreign') continue
      if (parent?.field === name) output[name] = { id: this.#ids.get(parent.of) }
      else if (output[name] !== undefined && output[name] !== null) {
        const found = this.#idOf(field.reference ?? '', output[name])
        if (found === undefined) errors[name] = unknownReference(field.reference ?? '', output[name])
        // Validation then has nothing to add to that.
        output[name] = found === undefined ? null : { id: found }
      }
    }
    return output
  }

  /** The id of what `service: shop`, `service: { name: shop }` or an id names. */
  #idOf(kind: string, reference: unknown): string | undefined {
    const [key, ...others] = isRecord(reference) ? Object.values(reference) : [reference]
    // A name that looks like a number is one in YAML.
    const isName = others.length === 0 && (typeof key === 'string' || typeof key === 'number')
    return isName ? this.#named.get(kind)?.get(String(key)) : undefined
  }

  #take(schema: EntitySchema, entity: Values, errors: FieldErrors): void {
    const id = String(entity.id)
    const named = this.#named.get(schema.name) ?? new Map<string, string>()
    this.#named.set(schema.name, named)
    const unique = fieldsOf(schema.fields).filter(([name, field]) => field.unique && typeof entity[name] === 'string')
    for (const name of ['id', ...unique.map(([field]) => field)]) {
      const value = String(entity[name])
      const isName = name === 'id' || name === schema.endpoint_key
      if (isName ? named.has(value) : !this.#claim(schema, name, value)) {
        errors[name] = alreadyDeclared(schema, name, shownValue(schema, name, value))
      } else if (isName) named.set(value, id)
    }
    if (schema.cache_key === undefined) return
    const scope = scopeOf(schema.cache_key, entity)
    if (this.#claim(schema, '@scope', scope)) return
    errors['@entity'] = [alreadyDeclared(schema, schema.cache_key.join(','), scope)]
  }

  /** False when it is taken already. */
  #claim(schema: EntitySchema, name: string, value: string): boolean {
    const claim = JSON.stringify([schema.name, name, value])
    if (this.#taken.has(claim)) return false
    this.#taken.add(claim)
    return true
  }
}

/** With `flatten_errors`, the errors entity by entity too. */
export class InvalidDeclaration extends ApiError {
  readonly #wrong: readonly WrongEntity[]

  constructor(errors: FieldErrors, wrong: readonly WrongEntity[]) {
    super(400, invalidDeclaration(errors).body as ConstructorParameters<typeof ApiError>[1])
    this.#wrong = wrong
  }

  flattened(): ApiError {
    const body = this.body as ConstructorParameters<typeof ApiError>[1]
    return new ApiError(this.status, { ...body, flattened_errors: this.#wrong.map(flattenedError) })
  }
}

/** Lists of records are entities; anything else under a kind's name is a field, such as the names of a certificate. */
function isNested(value: unknown): boolean {
  return Array.isArray(value) && value.every(isRecord)
}

/** What tells an entity apart from others of its kind: its name, its scope, else its place in the document. */
function keyOf(schema: EntitySchema, values: Values, path: Path): string {
  if (schema.cache_key !== undefined) return scopeOf(schema.cache_key, values)
  const key = schema.endpoint_key
  const isUnique = fieldsOf(schema.fields).some(([name, field]) => name === key && field.unique)
  return key !== undefined && isUnique && typeof values[key] === 'string' ? values[key] : path.join('/')
}

function scopeOf(fields: readonly string[], values: Values): string {
  return fields.map((name) => (isRecord(values[name]) ? String(values[name].id) : String(values[name] ?? ''))).join('/')
}

function unknownReference(kind: string, reference: unknown): string {
  const shown = isRecord(reference) ? Object.values(reference)[0] : reference
  return `invalid reference '${kind}: ${String(shown)}' (no such entry in '${kind}')`
}

/** What is made up when it is not given, such as a key, is a secret, and messages are logged. */
function shownValue(schema: EntitySchema, name: string, value: string): string {
  const field = fieldsOf(schema.fields).find(([candidate]) => candidate === name)?.[1]
  return name !== 'id' && field?.auto ? '(hidden)' : value
}

function alreadyDeclared(schema: EntitySchema, name: string, value: unknown): string {
  return `uniqueness violation: '${schema.name}' entity with ${name} set to '${String(value)}' already declared`
}

function attempt(run: () => Entity, errors: FieldErrors): Entity | undefined {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const found = error.body.fields
    for (const [name, reason] of Object.entries(isRecord(found) ? (found as FieldErrors) : {})) {
      if (!Object.hasOwn(errors, name)) setOwn(errors, name, reason)
    }
    return undefined
  }
}
