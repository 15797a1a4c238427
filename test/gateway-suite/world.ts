import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { type Answer, type Ask, ask } from '../../src/gateway/gateway-fixture.ts'
import type { GatewayCapabilities, RunningFixture } from './fixture.ts'

export type Json = Record<string, unknown>
export type AdminAnswer = { readonly status: number; readonly headers: Headers; readonly text: string; body: Json }
type Sent = { readonly type: string; readonly sent: unknown }
export type Stored = Json & { readonly id: string }

/**
 * One case's gateway: a host name that only its routes have, so that cases do not meet, and the Admin API, whose
 * entities of the case are removed after it.
 */
export class World {
  readonly capabilities: GatewayCapabilities
  readonly port: number
  readonly host = `case-${randomUUID()}.test`
  readonly #admin: string
  readonly #context: TestContext
  readonly #added: string[] = []

  constructor({ port, admin }: RunningFixture, capabilities: GatewayCapabilities, context: TestContext) {
    this.capabilities = capabilities
    this.port = port
    this.#admin = admin
    this.#context = context
  }

  /** Through the gateway, on a connection of its own, to the routes of this case. */
  ask(path: string, { headers, ...asked }: Ask = {}): Promise<Answer> {
    return ask(this.port, path, { ...asked, headers: { host: this.host, ...headers } })
  }

  /** Any request to the Admin API: an object as JSON, a text as it is. */
  async admin(method: string, path: string, sent?: unknown): Promise<AdminAnswer> {
    return this.#send(method, path, { type: 'application/json', sent })
  }

  /** The same with a body of another type. */
  async adminAs(type: string, request: string, sent: string): Promise<AdminAnswer> {
    const [method = '', path = ''] = request.split(' ')
    return this.#send(method, path, { type, sent })
  }

  async #send(method: string, path: string, { type, sent }: Sent): Promise<AdminAnswer> {
    const body = sent === undefined || typeof sent === 'string' ? sent : JSON.stringify(sent)
    const answer = await fetch(this.#admin + path, {
      method,
      ...(body !== undefined && { headers: { 'Content-Type': type }, body }),
    })
    const text = await answer.text()
    const { status, headers } = answer
    return { status, headers, text, body: (text === '' ? {} : JSON.parse(text)) as Json }
  }

  /** Adds an entity, as `POST` to a list of the Admin API. */
  async add(list: string, entity: Json): Promise<Stored> {
    const { status, body, text } = await this.admin('POST', list, entity)
    assert.equal(status, 201, `POST ${list}: ${text}`)
    const added = body as Stored
    this.removeLater(`${list}/${added.id}`)
    return added
  }

  removeLater(path: string): void {
    this.#added.push(path)
  }

  /** A route of this case to a service, which is `echo-service` unless it says so. */
  async route(route: Json = {}, service: Json = {}) {
    const added = await this.add('/services', { host: 'echo-service', ...service })
    return { service: added, route: await this.routeTo(added, route) }
  }

  routeTo({ id }: Stored, route: Json): Promise<Stored> {
    return this.add('/routes', { hosts: [this.host], service: { id }, ...route })
  }

  /** A route with one plugin on it. */
  async plugged(name: string, config: Json = {}) {
    const { service, route } = await this.route()
    return { service, route, plugin: await this.add(`/routes/${route.id}/plugins`, { name, config }) }
  }

  /** Everything that was added, the last first. */
  async remove(): Promise<void> {
    for (const path of this.#added.reverse()) await this.admin('DELETE', path)
  }

  /** A service elsewhere, that is not one of the application; its port. */
  upstream(listener: RequestListener): Promise<number> {
    return this.listen(createServer(listener))
  }

  async listen(server: Server): Promise<number> {
    const sockets = new Set<Socket>()
    server.on('connection', (socket) => {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    this.#context.after(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
    return (server.address() as AddressInfo).port
  }
}

export const JSON_WANTED = { accept: 'application/json' }

/** Status and message of an answer of the gateway itself. */
export const outcome = ({ status, body }: Answer) => [status, (JSON.parse(body) as Json).message]
