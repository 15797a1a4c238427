import { messageOf } from '../../core/index.ts'

/**
 * Compiles a route's regular expression as Kong reads it: anchored at the start of the path, not at its end. Kong's are
 * PCRE; what these write in another way is translated, and what JavaScript cannot express is refused with the engine's
 * message.
 */
export function compilePathPattern(source: string): RegExp | string {
  try {
    const [, before, after] = IGNORES_CASE.exec(source) ?? []
    const pattern = before === undefined ? source : `${before}${after}`
    return new RegExp(`^(?:${translated(pattern)})`, before === undefined ? 'u' : 'iu')
  } catch (error) {
    return messageOf(error)
  }
}

/** Compiles the regular expression of a route's header value, which is searched for in the value whatever its case. */
export function compileHeaderPattern(source: string): RegExp | string {
  try {
    return new RegExp(source, 'i')
  } catch (error) {
    return messageOf(error)
  }
}

/** `(?i)` counts from where it stands: before it there may be nothing that has a case. */
const IGNORES_CASE = /^([^a-z\\[]*)\(\?i\)(.*)$/is

/** What a pattern of PCRE consists of, as far as JavaScript writes it differently: outside a class, and in one. */
const OUTSIDE = /\\.|\(\?P<|\[\^?\]?|[^\\([\]]+|./suy
const INSIDE = /\\.|\[:\^?\w+:\]|[^\\[\]-]+|./suy

const CLASS_ESCAPE = /^\\[dDsSwW]/

/** Escapes that JavaScript knows when it reads strictly; other punctuation stands for itself there without one. */
const KNOWN_ESCAPE = /^\\[A-Za-z\d^$\\.*+?()[\]{}|/]$/

/** Where a subject begins and ends. */
const ENDS: Readonly<Record<string, string>> = { '\\A': '^', '\\z': '$', '\\Z': '$' }

/** Classes of POSIX, by their ASCII characters. */
const POSIX: Readonly<Record<string, string>> = {
  '[:alnum:]': 'A-Za-z\\d',
  '[:alpha:]': 'A-Za-z',
  '[:digit:]': '\\d',
  '[:lower:]': 'a-z',
  '[:upper:]': 'A-Z',
  '[:space:]': '\\s',
  '[:word:]': '\\w',
  '[:xdigit:]': 'A-Fa-f\\d',
}

/** In the way that JavaScript reads with the flag `u`, which refuses whatever it does not know. */
function translated(source: string): string {
  let text = ''
  let before = ''
  let isInClass = false
  for (let at = 0; at < source.length; ) {
    const tokens: RegExp = isInClass ? INSIDE : OUTSIDE
    tokens.lastIndex = at
    const token: string = tokens.exec(source)?.[0] ?? source.slice(at)
    at += token.length
    const isBesideClass = CLASS_ESCAPE.test(before) || CLASS_ESCAPE.test(source.slice(at, at + 2))
    text += isInClass ? inClass(token, isBesideClass) : outsideClass(token)
    isInClass = isInClass ? token !== ']' : token.startsWith('[')
    before = token
  }
  return text
}

function inClass(token: string, isBesideClass: boolean): string {
  if (token === '-' && isBesideClass) return '\\-'
  if (token === '[') return '\\['
  if (token.startsWith('[')) return POSIX[token] ?? refuse(token)
  return token === '\\-' ? token : unescaped(token)
}

function refuse(name: string): never {
  throw new Error(`there is no class ${name}`)
}

function outsideClass(token: string): string {
  if (token === '(?P<') return '(?<'
  if (token === ']') return '\\]'
  // The first of a class stands for itself.
  if (token.startsWith('[') && token.endsWith(']')) return `${token.slice(0, -1)}\\]`
  return ENDS[token] ?? unescaped(token)
}

function unescaped(token: string): string {
  return token.length > 1 && token.startsWith('\\') && !KNOWN_ESCAPE.test(token) ? token.slice(1) : token
}
