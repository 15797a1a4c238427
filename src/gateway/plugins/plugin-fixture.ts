import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { type Answer, type Ask, ask, ConfigFixture, type StandingClock, startGateway } from '../gateway-fixture.ts'

/**
 * For tests of plugins: a route `/` behind which a service answers with what it was sent, and a gateway in front of
 * it, in this process or in one of its own.
 */
export type Place = 'in process' | 'as a process'

export type Guarded = {
  readonly config: ConfigFixture
  readonly port: number
  /** Adds a plugin to the route. */
  plug(name: string, config?: Record<string, unknown>, more?: Record<string, unknown>): void
  consumer(username: string, more?: Record<string, unknown>): { readonly id: string }
  send(path: string, ask?: Ask): Promise<Answer>
}

export type GuardedOptions = {
  readonly place?: Place
  readonly clock?: StandingClock
  /** Other than the one that answers with what it was sent. */
  readonly service?: (request: IncomingMessage, response: ServerResponse) => void
}

/** The same test with a gateway in this process, where the service is called directly, and in a process of its own. */
export function everywhere(name: string, run: (context: TestContext, place: Place) => Promise<void>): void {
  for (const place of ['in process', 'as a process'] as const) {
    test(`${name}, ${place}`, (context) => run(context, place))
  }
}

export async function guarded(context: TestContext, options: GuardedOptions = {}): Promise<Guarded> {
  const { place = 'in process', clock, service = answerWithRequest } = options
  const config = new ConfigFixture()
  const dispatch = (request: IncomingMessage, response: ServerResponse) => void service(request, response)
  const upstream = place === 'in process' ? 80 : await listen(context, dispatch)
  const { id } = config.add('services', { host: '127.0.0.1', port: upstream })
  const route = config.add('routes', { paths: ['/'], strip_path: false, service: { id } })
  const gateway =
    place === 'in process'
      ? startGateway(context, { config, resolve: () => ({ kind: 'local', dispatch }), ...(clock && { clock }) })
      : startProcess(context, config)
  const { port } = await gateway
  return {
    config,
    port,
    plug: (name, settings = {}, more = {}) =>
      void config.add('plugins', { name, config: settings, route: { id: route.id }, ...more }),
    consumer: (username, more = {}) => config.add('consumers', { username, ...more }),
    send: async (path, asked = {}) => {
      await settled.get(config)?.()
      return ask(port, path, asked)
    },
  }
}

/** What the service saw of a request. */
export type Seen = { readonly url: string; readonly headers: IncomingHttpHeaders; readonly body: string }

export const seenBy = (answer: Answer) => JSON.parse(answer.body) as Seen

export function answerWithRequest(request: IncomingMessage, response: ServerResponse): void {
  const answer = (body: string) => {
    const seen: Seen = { url: request.url ?? '', headers: request.headers, body }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(seen))
  }
  text(request).then(answer, () => response.destroy())
}

async function listen(context: TestContext, handler: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

/** How to wait until the process has the configuration that was made last. */
const settled = new WeakMap<ConfigFixture, () => Promise<void>>()

async function startProcess(context: TestContext, config: ConfigFixture): Promise<{ readonly port: number }> {
  const child = fork(new URL('./gateway-process-fixture.ts', import.meta.url), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  context.after(async () => {
    const exited = once(child, 'exit')
    child.disconnect()
    await exited
  })
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  await apply(child, config)
  let pending = Promise.resolve()
  config.subscribe(() => {
    pending = pending.then(() => apply(child, config))
  })
  settled.set(config, () => pending)
  return { port }
}

async function apply(child: ChildProcess, config: ConfigFixture): Promise<void> {
  const applied = once(child, 'message')
  child.send(config.snapshot())
  await applied
}
