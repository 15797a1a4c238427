import type { z } from 'zod'
import type { AnyEventType } from './event.ts'

/**
 * What of an event cannot be read back: payloads are kept as JSON, and checked by the same schema when they are read. A
 * Date is then a text, a Map an empty object, and every event a dead letter. One line for each such field.
 */
export function jsonLossOf({ name, version, schema }: AnyEventType): readonly string[] {
  const losses: Loss[] = []
  // A schema of another version of Zod does not tell what it consists of.
  if (!('_zod' in schema)) return []
  collect(schema as unknown as z.core.$ZodTypes, [], { losses, above: new Set() })
  return losses.map(({ path, kind }) => {
    const what = path.length === 0 ? 'its payload' : path.join('.')
    return `event ${name} v${version} cannot be read back from JSON: ${what} is a ${kind}; use ${INSTEAD[kind]}`
  })
}

const INSTEAD = {
  date: 'z.iso.datetime(), or z.coerce.date()',
  bigint: 'z.int(), or digits in a z.string()',
  map: 'z.record()',
  set: 'z.array()',
  nan: 'z.null()',
  symbol: 'z.string()',
  function: 'data',
  promise: 'what it resolves to',
  file: 'its content as a z.base64()',
} as const

type Kind = keyof typeof INSTEAD
type Loss = { readonly path: readonly string[]; readonly kind: Kind }

/** `above` are the schemas that this one is within: one that contains itself has been looked at. */
type Walk = { readonly losses: Loss[]; readonly above: ReadonlySet<unknown> }

function collect(schema: z.core.$ZodTypes, path: readonly string[], { losses, above }: Walk): void {
  if (above.has(schema)) return
  const { def } = schema._zod
  // Whatever is coerced from a text is what it was. JSON itself refuses a bigint, so that those are lost all the same.
  const isCoerced = def.type === 'date' && def.coerce === true
  if (def.type in INSTEAD && !isCoerced) losses.push({ path, kind: def.type as Kind })
  const walk = { losses, above: new Set(above).add(schema) }
  for (const [step, part] of partsOf(def)) {
    collect(part as z.core.$ZodTypes, step === undefined ? path : [...path, step], walk)
  }
}

type Part = readonly [step: string | undefined, schema: z.core.$ZodType]

/**
 * The schemas inside, with the names of the fields they are for. Not those of a union, of which another may fit; nor
 * what `catch` replaces, nor what comes behind a transformation, which may have made it out of JSON.
 */
function partsOf(def: z.core.$ZodTypes['_zod']['def']): readonly Part[] {
  switch (def.type) {
    case 'object':
      return [...Object.entries(def.shape), ...(def.catchall === undefined ? [] : [['*', def.catchall] as const])]
    case 'array':
      return [['*', def.element]]
    case 'record':
      return [['*', def.valueType]]
    case 'tuple':
      return def.items.map((item, index) => [String(index), item] as const)
    case 'intersection':
      return [def.left, def.right].map((side) => [undefined, side] as const)
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'nonoptional':
    case 'readonly':
      return [[undefined, def.innerType]]
    case 'pipe':
      return [[undefined, def.in]]
    case 'lazy':
      return [[undefined, def.getter()]]
    default:
      return []
  }
}
