import { createGateway } from '../gateway.ts'
import { addRoute, ConfigFixture } from '../gateway-fixture.ts'

/**
 * A gateway as a process of its own, in front of a service that answers 200, with one rate limit whose configuration is
 * the first argument. Writes its port, and ends when its standard input does.
 */
const config = new ConfigFixture()
addRoute(config, { paths: ['/'] })
const plugin = JSON.parse(process.argv[2] ?? '{}') as Record<string, unknown>
config.add('plugins', plugin)
const dispatch = (_request: unknown, response: { end(text: string): void }) => response.end('fine')
const gateway = createGateway({ config, resolve: () => ({ kind: 'local', dispatch }), version: '3.9.1' })
const { port } = await gateway.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${port}\n`)
process.stdin.on('end', () => void gateway.close({ deadlineAtMs: Date.now() + 1_000 })).resume()
