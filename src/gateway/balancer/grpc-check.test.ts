import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { ServerCredentials } from '@grpc/grpc-js'
import { until } from '../../testing/index.ts'
import { SERVER } from '../certificate-fixture.ts'
import { targetChanged } from '../channels.ts'
import { addRoute, ConfigFixture, startGateway } from '../gateway-fixture.ts'
import { startGrpcServer, startHealthServer } from '../grpc-fixture.ts'
import { startTarget } from './target-fixture.ts'

/** What a gateway that checks this place in this way says of it, change by change. */
async function check(context: TestContext, port: number, active: Readonly<Record<string, unknown>>) {
  const states: string[] = []
  context.after(targetChanged.subscribe(({ state }) => void states.push(state)))
  const config = new ConfigFixture()
  const rules = {
    healthy: { interval: 0.02, successes: 1 },
    unhealthy: { interval: 0.02, http_failures: 2, tcp_failures: 1, timeouts: 1 },
  }
  // No check times out because the machine is busy, but where that is what is tested.
  const healthchecks = { active: { ...rules, timeout: 60, ...active } }
  const upstream = config.add('upstreams', { name: 'greeter.internal', host_header: 'greeter.example', healthchecks })
  config.add('targets', { target: `127.0.0.1:${port}`, upstream: { id: upstream.id } })
  addRoute(config, { paths: ['/'] }, { host: 'greeter.internal' })
  const { gateway } = await startGateway(context, { config })
  return { states, gateway }
}

test('a target that says by gRPC that it does not serve is taken out, and comes back', async (context) => {
  const { server, port, answer, asked } = await startHealthServer(context)
  const headers = { 'x-check': ['yes'] }
  const { states } = await check(context, port, { type: 'grpc', http_path: '/echo.Echo', headers })
  await until(() => asked.size > 0, { what: 'the first check' })
  assert.deepEqual([...asked], [`greeter.example:${port} echo.Echo yes`])
  assert.deepEqual(states, [])
  answer.status = 2
  await until(() => states.join() === 'unhealthy', { what: 'a target that does not serve' })
  answer.status = 1
  await until(() => states.join() === 'unhealthy,healthy', { what: 'a target that serves again' })
  server.forceShutdown()
  await until(() => states.join() === 'unhealthy,healthy,unhealthy', { what: 'a target that is gone' })
})

test('the whole server is asked for when no service is named', async (context) => {
  const { port, asked } = await startHealthServer(context)
  await check(context, port, { type: 'grpc' })
  await until(() => asked.size > 0, { what: 'the first check' })
  assert.deepEqual([...asked], [`greeter.example:${port}  `])
})

const secure = ServerCredentials.createSsl(null, [
  { cert_chain: Buffer.from(SERVER.cert), private_key: Buffer.from(SERVER.key) },
])

test('a check by gRPC over TLS hears the same', async (context) => {
  const { port, answer } = await startHealthServer(context, { secure })
  const { states } = await check(context, port, { type: 'grpcs', https_verify_certificate: false })
  answer.status = 2
  await until(() => states.join() === 'unhealthy', { what: 'a target that does not serve' })
  answer.status = 1
  await until(() => states.join() === 'unhealthy,healthy', { what: 'a target that serves again' })
})

test('a certificate that nobody vouches for is a failure', async (context) => {
  const { port, asked } = await startHealthServer(context, { secure })
  const { states } = await check(context, port, { type: 'grpcs' })
  await until(() => states.join() === 'unhealthy', { what: 'a target whose certificate is not believed' })
  assert.equal(asked.size, 0)
})

test('a server that knows nothing of health is not taken for a healthy one', async (context) => {
  const { port } = await startGrpcServer(context)
  const { states } = await check(context, port, { type: 'grpc' })
  await until(() => states.join() === 'unhealthy', { what: 'a server without the service' })
})

test('a server that speaks no HTTP/2 is not healthy', async (context) => {
  const http1 = await startTarget(context, (_request, response) => void response.end('ok'))
  const spoken = await check(context, http1.port, { type: 'grpc' })
  await until(() => spoken.states.includes('unhealthy'), { what: 'a server of HTTP/1.1' })
})

test('a silent server times out, and no connection to it is left when the gateway has closed', async (context) => {
  let open = 0
  const silent = createServer((socket) => {
    open += 1
    socket.on('error', () => socket.destroy()).on('close', () => (open -= 1))
    socket.resume()
  })
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  context.after(() => silent.close())
  const { port } = silent.address() as AddressInfo
  const { states, gateway } = await check(context, port, { type: 'grpc', timeout: 0.05 })
  await until(() => states.join() === 'unhealthy', { what: 'a server that does not answer in time' })
  await gateway.close({ deadlineAtMs: Date.now() + 1_000 })
  await until(() => open === 0, { what: 'the end of the last check' })
})
