import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TestContext } from 'node:test'
import type { GatewayOptions } from '../gateway.ts'
import { addRoute, ConfigFixture, startGateway } from '../gateway-fixture.ts'

/** What a service saw of a request. */
export type Seen = {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

export type Handler = (request: IncomingMessage, response: ServerResponse, seen: Seen) => void

/** A gateway with some plugins in front of a service in this process, which keeps what it saw. */
export async function pluggedIn(
  context: TestContext,
  plugins: readonly { readonly name: string; readonly config: Readonly<Record<string, unknown>> }[],
  options: { readonly handler?: Handler } & Partial<GatewayOptions> = {},
) {
  const { handler = (_request, response) => response.end('fine'), ...gatewayOptions } = options
  const config = new ConfigFixture()
  const { service, route } = addRoute(config, { paths: ['/'] })
  const added = plugins.map((plugin) => config.add('plugins', plugin))
  const seen: Seen[] = []
  const dispatch = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method, url, headers } = request
    const one = { method, url, headers: { ...headers }, body: Buffer.concat(chunks).toString() }
    seen.push(one)
    handler(request, response, one)
  }
  const resolve = () => ({ kind: 'local' as const, dispatch })
  const { port, gateway } = await startGateway(context, { config, resolve, ...gatewayOptions })
  return { config, service, route, plugins: added, port, gateway, seen }
}
