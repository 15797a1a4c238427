import { consoleError } from '../errors.ts'
import { ADMIN_REQUEST_MS, ENTITIES_MAX, PAGE_ENTITIES } from '../limits.ts'

/** An entity of the gateway's configuration as the Admin API answers it. */
export type Entity = Readonly<Record<string, unknown>>

export type AdminReply = { readonly status: number; readonly body: unknown }

export type AdminCall = { readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'; readonly path: string; body?: unknown }

/** All there are of a kind, unless they are more than ENTITIES_MAX. */
export type EntityList = { readonly entities: readonly Entity[]; readonly isComplete: boolean }

/** An answer of the Admin API that is no success: handed on as it is, since it says what to do. */
export class AdminRefusal extends Error {
  override readonly name = 'AdminRefusal'
  readonly reply: AdminReply

  constructor(reply: AdminReply) {
    super(`the Admin API answered ${reply.status}`)
    this.reply = reply
  }
}

/**
 * The Admin API for one request of a browser, with that browser's token: the console has none of its own, so nobody can
 * do by it what they could not do without it. Throws CONSOLE_GATEWAY_UNREACHABLE without an answer.
 */
export class Admin {
  readonly #url: string
  readonly #token: string | undefined

  constructor(url: string, token: string | undefined) {
    this.#url = url.replace(/\/+$/, '')
    this.#token = token
  }

  async call({ method, path, body }: AdminCall): Promise<AdminReply> {
    const hasBody = body !== undefined
    try {
      const response = await fetch(this.#url + path, {
        method,
        headers: {
          ...(hasBody && { 'content-type': 'application/json' }),
          ...(this.#token !== undefined && { 'kong-admin-token': this.#token }),
        },
        ...(hasBody && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(ADMIN_REQUEST_MS),
        redirect: 'error',
      })
      const text = await response.text()
      return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as unknown) }
    } catch (cause) {
      throw consoleError('CONSOLE_GATEWAY_UNREACHABLE', `no Admin API answers at ${this.#url}`, { cause })
    }
  }

  /** The body of a successful answer. Throws AdminRefusal for any other. */
  async read(path: string): Promise<Entity> {
    const reply = await this.call({ method: 'GET', path })
    if (reply.status !== 200) throw new AdminRefusal(reply)
    return reply.body as Entity
  }

  async list(path: string, size = PAGE_ENTITIES): Promise<EntityList> {
    const entities: Entity[] = []
    let offset: unknown
    do {
      const query = new URLSearchParams({ size: String(size), ...(offset ? { offset: String(offset) } : {}) })
      const page = await this.read(`${path}?${query}`)
      entities.push(...(page.data as Entity[]))
      offset = page.offset
    } while (offset !== undefined && entities.length < ENTITIES_MAX)
    return { entities, isComplete: offset === undefined }
  }
}
