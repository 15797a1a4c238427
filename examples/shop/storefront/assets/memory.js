/**
 * What the browser keeps for us: `localStorage` for good, `sessionStorage` for this tab. Where storage is forbidden or
 * full, this page remembers by itself, and the shop still sells.
 */
export class Memory {
  /** @type {string | undefined} */
  #fallback

  /** @param {'localStorage' | 'sessionStorage'} kind @param {string} name */
  constructor(kind, name) {
    this.kind = kind
    this.name = name
  }

  /** The value, or undefined when there is none, or none of ours. @returns {any} */
  recall() {
    try {
      return (
        JSON.parse(this.#attempt((storage) => storage.getItem(this.name) ?? undefined) ?? this.#fallback ?? 'null') ??
        undefined
      )
    } catch (error) {
      if (error instanceof SyntaxError) return undefined
      throw error
    }
  }

  /** @param {unknown} value */
  keep(value) {
    this.#fallback = JSON.stringify(value)
    this.#attempt((storage) => storage.setItem(this.name, JSON.stringify(value)))
  }

  forget() {
    this.#fallback = undefined
    this.#attempt((storage) => storage.removeItem(this.name))
  }

  /** @template Result @param {(storage: Storage) => Result} use @returns {Result | undefined} */
  #attempt(use) {
    try {
      return use(window[this.kind])
    } catch (error) {
      if (error instanceof DOMException) return undefined
      throw error
    }
  }
}
