import { isDeepStrictEqual } from 'node:util'
import { stringify } from 'yaml'
import { type Catalog, fieldsOf } from '../config/catalog.ts'
import type { Entity } from '../config/entities.ts'
import type { Field, NamedField } from '../config/schema.ts'
import { isRecord } from '../config/values.ts'
import type { Entities } from './declaration.ts'

type Values = Readonly<Record<string, unknown>>

/** Columns of a line: long regular expressions stay in one piece. */
const LINE_WIDTH = 0

/**
 * Writes entities as a Kong declarative file of format 3.0, flat, parents before children and each kind by its names:
 * the same configuration is the same text. What has its default is left out, and so are times.
 */
export function writeKongFile(catalog: Catalog, entities: Entities): string {
  const lists = catalog.kinds.flatMap((schema) => {
    const list = entities.get(schema.name) ?? []
    const written = list.map((entity) => writtenEntity(catalog, schema.name, entity))
    return written.length === 0 ? [] : [[schema.name, written.toSorted(byName)] as const]
  })
  return stringify({ _format_version: '3.0', ...Object.fromEntries(lists) }, { lineWidth: LINE_WIDTH })
}

function writtenEntity(catalog: Catalog, kind: string, entity: Entity): Values {
  const { fields } = catalog.rulesOf(catalog.kind(kind), entity)
  const { id, name, ...rest } = withoutDefaults(fields, entity)
  return { ...(name === undefined ? {} : { name }), id, ...rest }
}

function withoutDefaults(fields: readonly NamedField[], values: Values): Record<string, unknown> {
  const output: Record<string, unknown> = {}
  for (const [name, field] of fieldsOf(fields)) {
    const value = written(field, values[name])
    if (value !== undefined) output[name] = value
  }
  return output
}

/** Undefined for what need not be written. */
function written(field: Field, value: unknown): unknown {
  if (value === undefined || value === null || field.timestamp) return undefined
  if (field.default !== undefined && isDeepStrictEqual(field.default, value)) return undefined
  if (field.type === 'foreign') return isRecord(value) ? value.id : value
  if (field.type !== 'record' || !isRecord(value) || field.abstract) return value
  const inner = withoutDefaults(field.fields ?? [], value)
  return Object.keys(inner).length === 0 ? undefined : inner
}

function byName(left: Values, right: Values): number {
  const [a, b] = [left, right].map((values) => `${String(values.name ?? values.username ?? '')} ${String(values.id)}`)
  return (a ?? '') < (b ?? '') ? -1 : 1
}
