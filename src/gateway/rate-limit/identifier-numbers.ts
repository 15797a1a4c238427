import { hash } from 'node:crypto'
import { COUNTED_IDENTIFIERS_MAX, IDENTIFIER_CHARS_MAX } from '../limits.ts'

/** Stands for all identifiers beyond those that are counted apart. No identifier is empty. */
const ALL_OTHERS = ''

/**
 * A number for each identifier. When there are too many to keep apart, the further ones share one number: a limit may
 * then come early for some, but it is never exceeded.
 */
export class IdentifierNumbers {
  readonly #numbers = new Map<string, number>()
  readonly #identifiersMax: number

  constructor(identifiersMax: number = COUNTED_IDENTIFIERS_MAX) {
    this.#identifiersMax = identifiersMax
  }

  /** 0 for one that is not there. */
  get(identifier: string): number {
    return this.#numbers.get(this.#keyOf(identifier)) ?? 0
  }

  set(identifier: string, value: number): void {
    this.#numbers.set(this.#keyOf(identifier), value)
  }

  clear(): void {
    this.#numbers.clear()
  }

  #keyOf(identifier: string): string {
    if (this.#numbers.size < this.#identifiersMax || this.#numbers.has(identifier)) return identifier
    return ALL_OTHERS
  }
}

/** An identifier of bounded length. */
export function boundedIdentifier(identifier: string): string {
  if (identifier.length <= IDENTIFIER_CHARS_MAX) return identifier
  return hash('sha256', identifier, 'base64url')
}
