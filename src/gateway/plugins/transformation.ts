import type { Field } from '../config/schema.ts'
import { isRecord } from '../config/values.ts'

/** What the two transformers share: rules as Kong writes them, `name` or `name:value`, and JSON by its keys. */
export type NamedValue = { readonly name: string; readonly value: string }

/** Headers that frame a message or route it: changed by a rule, they would let one message be read as two. */
const UNTOUCHABLE = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'upgrade', 'te', 'trailer'])

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a header's value must not contain.
const CONTROL_CHARACTERS = /[\u0000-\u0008\u000a-\u001f\u007f]/g

type RuleCheck = (rule: string) => string | undefined

const rules = (description: string, check: RuleCheck): Field => ({
  type: 'array',
  default: [],
  elements: { type: 'string', custom_validator: check },
  description,
})

export const names = (description: string): Field => rules(description, () => undefined)

export const namedValues = (description: string, check: RuleCheck = () => undefined): Field =>
  rules(description, (rule) => pairError(rule) ?? check(namedValueOf(rule).value))

export const headerNames = (description: string): Field => rules(description, headerNameError)

export const headerValues = (description: string, check: RuleCheck = () => undefined): Field =>
  rules(description, (rule) => pairError(rule) ?? headerPairError(namedValueOf(rule), check))

/** Rules that rename headers: old name, new name. */
export const headerRenames = (description: string): Field =>
  rules(description, (rule) => {
    const { name, value } = namedValueOf(rule)
    return pairError(rule) ?? headerNameError(name) ?? headerNameError(value)
  })

export const record = (fields: readonly Readonly<Record<string, Field>>[]): Field => ({
  type: 'record',
  required: true,
  fields,
})

/** The name is all before the first colon. */
export function namedValueOf(rule: string): NamedValue {
  const colon = rule.indexOf(':')
  return { name: rule.slice(0, colon), value: rule.slice(colon + 1) }
}

/** Text as the bytes of a header: no control characters, and UTF-8 where it is more than Latin-1. */
export function headerText(text: string): string {
  return Buffer.from(text.replace(CONTROL_CHARACTERS, ' ')).toString('latin1')
}

export type JsonRules = {
  readonly remove: readonly string[]
  readonly rename: readonly NamedValue[]
  readonly replace: readonly (readonly [string, unknown])[]
  readonly add: readonly (readonly [string, unknown])[]
  readonly append: readonly (readonly [string, unknown])[]
}

export function hasJsonRules(json: JsonRules): boolean {
  return Object.values(json).some((list) => list.length > 0)
}

/** Changes the top-level keys of a JSON object; undefined for any other text, which stays as it is. */
export function transformedJson(text: string, json: JsonRules): string | undefined {
  const body = parsedJson(text)
  if (!isRecord(body)) return undefined
  return JSON.stringify(Object.fromEntries(transformedEntries(new Map(Object.entries(body)), json)))
}

/** In Kong's order: remove, rename, replace what is there, add what is not, append. */
export function transformedEntries(entries: Map<string, unknown>, json: JsonRules): Map<string, unknown> {
  for (const name of json.remove) entries.delete(name)
  for (const { name, value } of json.rename) {
    if (!entries.has(name)) continue
    entries.set(value, entries.get(name))
    entries.delete(name)
  }
  for (const [name, value] of json.replace) if (entries.has(name)) entries.set(name, value)
  for (const [name, value] of json.add) if (!entries.has(name)) entries.set(name, value)
  for (const [name, value] of json.append) {
    const current = entries.get(name)
    entries.set(name, Array.isArray(current) ? [...current, value] : current === undefined ? [value] : [current, value])
  }
  return entries
}

/** Undefined for what is no JSON. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function pairError(rule: string): string | undefined {
  return /^[^:]+:.*$/s.test(rule) ? undefined : `invalid value: ${rule}`
}

function headerNameError(name: string): string | undefined {
  if (!HEADER_NAME.test(name)) return `'${name}' is not a valid header`
  return UNTOUCHABLE.has(name.toLowerCase())
    ? `header '${name}' cannot be changed: it frames or routes the message`
    : undefined
}

function headerPairError({ name, value }: NamedValue, check: RuleCheck): string | undefined {
  if (headerNameError(name) !== undefined) return headerNameError(name)
  return value.replace(CONTROL_CHARACTERS, '') === value ? check(value) : `invalid value for header '${name}'`
}
