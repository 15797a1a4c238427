/** The name of a header, as whoever reads or writes heads needs it. */
export type FieldName = {
  /** In lower case. */
  readonly key: string
  /** CR LF, the name as it was given, a colon, a blank: between the line before and the value. */
  readonly prefix: string
}

/** What the value of a field cannot have: it would end its line, or not be of HTTP's characters. RFC 9110, 5.5. */
export const NOT_FIELD_VALUE = /[^\t\x20-\x7e\x80-\xff]/

const TOKEN = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/

/** Names that were found to be some: there are few different ones, and the same ones in every message. */
const known = new Map<string, FieldName>()

/** Others may send anything: no more is remembered of it, and what is learnt then begins anew. */
const NAMES_MAX = 1_000
const NAME_CHARS_MAX = 64

/** Undefined when it is no name. Source: RFC 9110, 5.1. */
export function fieldName(name: string): FieldName | undefined {
  const found = known.get(name)
  if (found !== undefined) return found
  if (!TOKEN.test(name)) return undefined
  // A copy: a part of a text keeps all of the text in memory.
  const own = Buffer.from(name, 'latin1').toString('latin1')
  const made = { key: own.toLowerCase(), prefix: `\r\n${own}: ` }
  if (own.length > NAME_CHARS_MAX) return made
  if (known.size >= NAMES_MAX) known.clear()
  known.set(own, made)
  return made
}

/** The name in lower case, whether or not it is one. */
export function keyOf(name: string): string {
  return fieldName(name)?.key ?? name.toLowerCase()
}

/** Whether it is a token, as names of headers and methods are. */
export function isName(text: string): boolean {
  return fieldName(text) !== undefined
}
