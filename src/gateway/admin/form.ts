import { ApiError } from '../config/api-error.ts'
import { fieldsOf } from '../config/catalog.ts'
import { FORM_DEPTH_MAX, FORM_NAMES_MAX } from '../config/limits.ts'
import type { EntitySchema, Field } from '../config/schema.ts'
import type { Rules } from '../config/validate.ts'
import { isRecord } from '../config/values.ts'

/**
 * Forms as Kong reads them. Grammar of a name: `piece ('.' piece)*`, piece = `word ('[' (index | key)? ']')*`. A dot
 * or a key nests, `[]`, `[1]` or a repeated name make a list: `config.minute=5`, `methods[]=GET`,
 * `paths=/a&paths=/b`.
 */
type Node = { readonly texts: string[]; readonly fields: Map<string, Node>; readonly items: Map<number, Node> }
type Step = { readonly key: string } | { readonly index: number | undefined }

const PIECE = /^([^[\]]*)((?:\[[^[\]]*\])*)$/

/** Nested values from the pairs of a form; every leaf is a text. */
export function decodeForm(pairs: Iterable<readonly [string, string]>): Readonly<Record<string, unknown>> {
  const root = emptyNode()
  let count = 0
  for (const [name, text] of pairs) {
    if (++count > FORM_NAMES_MAX) throw new ApiError(400, { message: `forms may have at most ${FORM_NAMES_MAX} names` })
    const steps = stepsOf(name)
    if (steps.length > FORM_DEPTH_MAX) throw new ApiError(400, { message: `"${name.slice(0, 60)}…" nests too deep` })
    if (steps.length > 0) steps.reduce(descend, root).texts.push(text)
  }
  return Object.fromEntries([...root.fields].map(([key, node]) => [key, valueIn(node)]))
}

/**
 * Gives the texts of a form the types that the schema asks for; what does not parse stays, for validation to refuse.
 */
export function inferForm(
  schema: EntitySchema,
  rules: Rules,
  values: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return inferRecord({ ...schema, type: 'record', fields: rules.fields, abstract: false } as Field, values)
}

function stepsOf(name: string): Step[] {
  return name
    .split('.')
    .filter((piece) => piece !== '')
    .flatMap((piece): Step[] => {
      const match = PIECE.exec(piece)
      if (match === null) return [{ key: piece }]
      const brackets = [...(match[2] ?? '').matchAll(/\[([^[\]]*)\]/g)].map(([, inside = '']) => stepInside(inside))
      return match[1] ? [{ key: match[1] }, ...brackets] : brackets
    })
}

function stepInside(inside: string): Step {
  if (inside === '') return { index: undefined }
  return /^\d{1,9}$/.test(inside) ? { index: Number(inside) } : { key: inside }
}

function descend(node: Node, step: Step): Node {
  if ('key' in step) return getOrAdd(node.fields, step.key)
  return getOrAdd(node.items, step.index ?? Math.max(0, ...node.items.keys()) + 1)
}

function getOrAdd<Key>(nodes: Map<Key, Node>, key: Key): Node {
  const node = nodes.get(key) ?? emptyNode()
  nodes.set(key, node)
  return node
}

const emptyNode = (): Node => ({ texts: [], fields: new Map(), items: new Map() })

function valueIn(node: Node): unknown {
  if (node.items.size > 0) {
    const items = [...node.items].sort(([a], [b]) => a - b).map(([, item]) => valueIn(item))
    return [...items, ...node.texts]
  }
  if (node.fields.size > 0) return Object.fromEntries([...node.fields].map(([key, inner]) => [key, valueIn(inner)]))
  return node.texts.length === 1 ? node.texts[0] : node.texts
}

function inferRecord(field: Field, values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const known = new Map<string, Field>([...shorthandsOf(field), ...fieldsOf(field.fields ?? [])])
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      const inner = known.get(name)
      return [name, inner === undefined ? value : infer(inner, value)]
    }),
  )
}

const shorthandsOf = (field: Field) =>
  (field.shorthand_fields ?? [])
    .flatMap((entry) => Object.entries(entry))
    .map(([name, { type }]) => [name, { type }] as const)

function infer(field: Field, value: unknown): unknown {
  if (value === '') return null
  switch (field.type) {
    case 'number':
    case 'integer':
      return typeof value === 'string' && Number.isFinite(Number(value)) ? Number(value) : value
    case 'boolean':
      return value === 'true' ? true : value === 'false' ? false : value
    case 'array':
    case 'set':
      return inferItems(field, value)
    case 'map':
      return isRecord(value) && field.values ? inferMap(field.values, value) : value
    case 'record':
      return isRecord(value) ? inferRecord(field, value) : value
    default:
      return value
  }
}

function inferItems(field: Field, value: unknown): unknown {
  const items = Array.isArray(value) ? value : [value]
  return field.elements === undefined ? items : items.map((item) => infer(field.elements as Field, item))
}

function inferMap(field: Field, value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, infer(field, item)]))
}
