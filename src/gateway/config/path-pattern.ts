import { messageOf } from '../../core/index.ts'

/**
 * Compiles a route's regular expression as Kong reads it: anchored at the start of the path, not at its end. Kong's are
 * PCRE; its named groups `(?P<name>…)` are translated, what JavaScript cannot express is refused with the engine's
 * message.
 */
export function compilePathPattern(source: string): RegExp | string {
  try {
    return new RegExp(`^(?:${source.replaceAll('(?P<', '(?<')})`, 'u')
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
