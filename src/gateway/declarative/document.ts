import { isAlias, isMap, LineCounter, parseDocument } from 'yaml'
import type { FieldErrors } from '../config/api-error.ts'
import { isRecord } from '../config/values.ts'
import { invalidDeclaration } from './declaration-error.ts'

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

/** Aliases that one document may expand: enough to share settings, too few to fill the memory. */
const ALIASES_MAX = 1_000

const IGNORED = new Map([
  ['_transform', 'values are stored as this gateway stores what its Admin API gets'],
  ['_workspace', 'there is one workspace'],
  ['_info', 'it directs decK'],
])

/** Neither means anything to a gateway: Kong has them for people. */
const FOR_PEOPLE = ['_comment', '_ignore']

/** Throws an `ApiError` (invalid declarative configuration) for what is no such document. */
export function readDocument(text: string): ConfigDocument {
  const value = parseText(text)
  if (!isRecord(value)) throw unparsable('expected an object')
  const { _format_version: version, ...rest } = value
  const errors = versionErrors(version)
  if (errors !== undefined) throw invalidDeclaration(errors)
  const notices = [...IGNORED].flatMap(([name, why]) => (name in rest ? [`${name} is ignored: ${why}`] : []))
  for (const name of [...IGNORED.keys(), ...FOR_PEOPLE]) delete rest[name]
  return { collections: rest, hasMarkedPatterns: String(version) === '3.0', notices }
}

function parseText(text: string): unknown {
  const document = parseDocument(text, { lineCounter: new LineCounter() })
  const [error] = document.errors
  if (error !== undefined) throw unparsable(error.message)
  if (!isMap(document.contents) || isAlias(document.contents)) throw unparsable('expected an object')
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX })
  } catch (cause) {
    throw Object.assign(unparsable('it expands too many aliases'), { cause })
  }
}

const unparsable = (reason: string) =>
  invalidDeclaration({ error: `failed parsing declarative configuration: ${reason.split('\n')[0]}` })

/** YAML reads an unquoted 3.0 as the number 3. */
function versionErrors(version: unknown): FieldErrors | undefined {
  if (version === undefined || version === null) return { _format_version: 'required field missing' }
  if (typeof version === 'number') return { _format_version: 'expected a string' }
  return VERSIONS.includes(String(version)) ? undefined : { _format_version: `expected one of: ${VERSIONS.join(', ')}` }
}
