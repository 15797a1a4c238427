import { messageOf } from '../../core/index.ts'
import type { FieldErrors } from '../config/api-error.ts'
import { invalidDeclaration } from './declaration-error.ts'
import { parseYamlMap } from './yaml-text.ts'

/**
 * The text of a declarative configuration, JSON or YAML, as a plain value: what is about the file itself is taken off,
 * the rest is entities. Source: Kong 3.9, `kong/db/declarative` and `kong/db/schema/others/declarative_config.lua`.
 */
export type ConfigDocument = {
  /** Entities by kind, unchecked. */
  readonly collections: Readonly<Record<string, unknown>>
  /** Before 3.0 a path was a regular expression when it looked like one, without the `~` in front. */
  readonly hasMarkedPatterns: boolean
  /** What the file says and this gateway does not act on, for people. */
  readonly notices: readonly string[]
}

const VERSIONS = ['1.1', '2.1', '3.0']

const IGNORED = new Map([
  ['_transform', 'values are stored as this gateway stores what its Admin API gets'],
  ['_workspace', 'there is one workspace'],
  ['_info', 'it directs decK'],
])

/** Neither means anything to a gateway: Kong has them for people. */
const FOR_PEOPLE = ['_comment', '_ignore']

/** Throws an `ApiError` (invalid declarative configuration) for what is no such document. */
export function readDocument(text: string): ConfigDocument {
  const { _format_version: version, ...rest } = parseText(text)
  const errors = versionErrors(version)
  if (errors !== undefined) throw invalidDeclaration(errors)
  const notices = [...IGNORED].flatMap(([name, why]) => (name in rest ? [`${name} is ignored: ${why}`] : []))
  for (const name of [...IGNORED.keys(), ...FOR_PEOPLE]) delete rest[name]
  return { collections: rest, hasMarkedPatterns: String(version) === '3.0', notices }
}

function parseText(text: string): Record<string, unknown> {
  try {
    return parseYamlMap(text)
  } catch (cause) {
    const error = `failed parsing declarative configuration: ${messageOf(cause)}`
    throw Object.assign(invalidDeclaration({ error }), { cause })
  }
}

/** YAML reads an unquoted 3.0 as the number 3. */
function versionErrors(version: unknown): FieldErrors | undefined {
  if (version === undefined || version === null) return { _format_version: 'required field missing' }
  if (typeof version === 'number') return { _format_version: 'expected a string' }
  return VERSIONS.includes(String(version)) ? undefined : { _format_version: `expected one of: ${VERSIONS.join(', ')}` }
}
