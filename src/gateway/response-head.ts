import type { OutgoingHttpHeader } from 'node:http'

/** The head of a response on its way to the client, which plugins may change. */
export type ResponseHead = {
  status: number
  /** What the client gets, the gateway's own among them. */
  readonly headers: HeaderList
  /** What the service, or the gateway in its place, gave. Not to be changed. */
  readonly upstream: HeaderList
}

/**
 * What the bytes of a body flow through. Answers what goes on to the client now; what is kept back comes with a later
 * chunk, or at the end. One that throws cuts the response off.
 */
export type BodyFilter = {
  write(chunk: Buffer): Buffer | undefined
  end(): Buffer | undefined
}

type Pair = { readonly name: string; readonly key: string; readonly value: string }

/** Header lines in their order, several of one name among them. Names are compared without regard to case. */
export class HeaderList {
  #pairs: Pair[]

  /** Names and values in turn; a list of values is as many lines. */
  constructor(headers: readonly OutgoingHttpHeader[]) {
    const pairs: Pair[] = []
    for (let index = 0; index + 1 < headers.length; index += 2) {
      for (const value of [headers[index + 1] ?? ''].flat()) pairs.push(pairOf(String(headers[index]), String(value)))
    }
    this.#pairs = pairs
  }

  has(name: string): boolean {
    const key = name.toLowerCase()
    return this.#pairs.some((pair) => pair.key === key)
  }

  /** The first line's value. */
  get(name: string): string | undefined {
    const key = name.toLowerCase()
    return this.#pairs.find((pair) => pair.key === key)?.value
  }

  getAll(name: string): readonly string[] {
    const key = name.toLowerCase()
    return this.#pairs.filter((pair) => pair.key === key).map((pair) => pair.value)
  }

  /** In place of all lines of that name. */
  set(name: string, ...values: readonly string[]): void {
    this.remove(name)
    for (const value of values) this.append(name, value)
  }

  append(name: string, value: string): void {
    this.#pairs.push(pairOf(name, value))
  }

  remove(name: string): void {
    const key = name.toLowerCase()
    this.#pairs = this.#pairs.filter((pair) => pair.key !== key)
  }

  /** Names and values in turn, as Node takes them, of the names that are wanted. */
  flat(isWanted: (key: string) => boolean = () => true): string[] {
    return this.#pairs.flatMap(({ name, key, value }) => (isWanted(key) ? [name, value] : []))
  }
}

function pairOf(name: string, value: string): Pair {
  return { name, key: name.toLowerCase(), value }
}
