import { z } from 'zod'
import { messageOf } from '../core/index.ts'
import { contractsError } from './errors.ts'

/** A JSON Schema, draft 2020-12. */
export type JsonSchema = { readonly [keyword: string]: unknown }

/**
 * What may be sent: the schema before its transformations and with its defaults left out. `owner` names it in errors.
 * Throws CONTRACTS_SCHEMA_OPAQUE when JSON Schema has no words for it.
 */
export function sentSchema(schema: z.ZodType, owner: string): JsonSchema {
  return toJsonSchema(schema, owner, 'input')
}

/** What is answered: the schema after its transformations. Answers may hold more than their schema names. */
export function answeredSchema(schema: z.ZodType, owner: string): JsonSchema {
  return toJsonSchema(schema, owner, 'output')
}

function toJsonSchema(schema: z.ZodType, owner: string, io: 'input' | 'output'): JsonSchema {
  try {
    const made = z.toJSONSchema(schema, { io, cycles: 'throw', unrepresentable: 'throw', override })
    const { $schema: _, $defs = {}, ...json } = made
    return inlined(json, $defs) as JsonSchema
  } catch (cause) {
    throw contractsError('CONTRACTS_SCHEMA_OPAQUE', `${owner} has no JSON Schema: ${messageOf(cause)}`, { cause })
  }
}

/** Schemas that have a name are put where they are used, so that one stands for itself wherever it is embedded. */
function inlined(value: unknown, named: Readonly<Record<string, unknown>>): unknown {
  if (Array.isArray(value)) return value.map((one) => inlined(one, named))
  if (typeof value !== 'object' || value === null) return value
  const name = '$ref' in value && typeof value.$ref === 'string' ? value.$ref.replace('#/$defs/', '') : undefined
  if (name !== undefined && name in named) return inlined(named[name], named)
  return Object.fromEntries(Object.entries(value).map(([keyword, one]) => [keyword, inlined(one, named)]))
}

/** Bounds that zod adds to every integer say nothing about the event. */
const SAFE_INTEGER = { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER } as const

function override({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: Record<string, unknown> }) {
  const { def } = zodSchema._zod
  if (def.type === 'object' && def.catchall === undefined) delete jsonSchema.additionalProperties
  for (const [keyword, value] of Object.entries(SAFE_INTEGER)) {
    if (jsonSchema[keyword] === value) delete jsonSchema[keyword]
  }
}
