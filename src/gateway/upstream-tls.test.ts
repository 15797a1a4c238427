import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { Metadata, ServerCredentials, status } from '@grpc/grpc-js'
import { AUTHORITY, FIRST_CLIENT, SECOND_CLIENT, SERVER } from './certificate-fixture.ts'
import { addRoute, ask, ConfigFixture, startGateway } from './gateway-fixture.ts'
import { grpcClient, startGrpcServer } from './grpc-fixture.ts'

/** Services that want to know who calls, by TLS, and a gateway that wants to know whom it has called. */

/** Answers with the name in the certificate that it is shown, and wants one from `AUTHORITY`. */
async function startService(context: TestContext): Promise<number> {
  const server = createServer({ ...SERVER, ca: AUTHORITY, requestCert: true }, (request, response) => {
    const { subject } = (request.socket as TLSSocket).getPeerCertificate() as PeerCertificate
    response.end(String(subject.CN))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

async function withService(context: TestContext, host = 'localhost') {
  const config = new ConfigFixture()
  const port = await startService(context)
  const authority = config.add('ca_certificates', { cert: AUTHORITY })
  const { service } = addRoute(config, { paths: ['/'] }, { protocol: 'https', host, port })
  const running = await startGateway(context, { config })
  const change = (values: Record<string, unknown>) => config.change('services', service.id, values)
  return { config, authority, service, change, upstreamPort: port, ask: () => ask(running.port, '/') }
}

test('a service is believed by the authorities that it is given, and by no other', async (context) => {
  const { config, authority, change, ask } = await withService(context)
  const client = config.add('certificates', FIRST_CLIENT)
  change({ client_certificate: { id: client.id } })
  assert.equal((await ask()).status, 502, 'nobody vouches for it')
  change({ ca_certificates: [authority.id] })
  assert.equal((await ask()).body, 'first-gateway')
  config.remove('ca_certificates', authority.id)
  assert.equal((await ask()).status, 502, 'nobody vouches for it any more')
  change({ tls_verify: false })
  assert.equal((await ask()).body, 'first-gateway')
})

test('as many certificates may stand between as tls_verify_depth says', async (context) => {
  const { config, authority, change, ask } = await withService(context)
  const client = config.add('certificates', FIRST_CLIENT)
  change({ client_certificate: { id: client.id }, ca_certificates: [authority.id], tls_verify_depth: 1 })
  assert.equal((await ask()).status, 200)
  change({ tls_verify_depth: 0 })
  assert.equal((await ask()).status, 502)
})

test('a service that wants a certificate gets the one of today', async (context) => {
  const { config, authority, change, ask } = await withService(context)
  change({ ca_certificates: [authority.id] })
  assert.equal((await ask()).status, 502, 'none is shown')
  const client = config.add('certificates', FIRST_CLIENT)
  change({ client_certificate: { id: client.id } })
  assert.equal((await ask()).body, 'first-gateway')
  config.change('certificates', client.id, SECOND_CLIENT)
  assert.equal((await ask()).body, 'second-gateway')
})

test('an upstream has a certificate for the services that have none', async (context) => {
  const { config, authority, change, upstreamPort, ask } = await withService(context, 'service.balanced')
  const [first, second] = [config.add('certificates', FIRST_CLIENT), config.add('certificates', SECOND_CLIENT)]
  const upstream = config.add('upstreams', { name: 'service.balanced', client_certificate: { id: first.id } })
  config.add('targets', { target: `localhost:${upstreamPort}`, upstream: { id: upstream.id } })
  change({ ca_certificates: [authority.id] })
  assert.equal((await ask()).body, 'first-gateway')
  change({ client_certificate: { id: second.id } })
  assert.equal((await ask()).body, 'second-gateway')
})

test('calls of gRPC show the certificate, too', async (context) => {
  const pair = { private_key: Buffer.from(SERVER.key), cert_chain: Buffer.from(SERVER.cert) }
  const secure = ServerCredentials.createSsl(Buffer.from(AUTHORITY), [pair], true)
  const { port } = await startGrpcServer(context, {}, { secure })
  const config = new ConfigFixture()
  const authority = config.add('ca_certificates', { cert: AUTHORITY })
  const values = { protocol: 'grpcs', host: 'localhost', port, ca_certificates: [authority.id] }
  const { service } = addRoute(config, { paths: ['/'], protocols: ['grpc'] }, values)
  const call = grpcClient(context, (await startGateway(context, { config })).port)
  assert.equal((await call.unary(Buffer.from('a'), new Metadata())).status.code, status.UNAVAILABLE)
  const client = config.add('certificates', FIRST_CLIENT)
  config.change('services', service.id, { client_certificate: { id: client.id } })
  assert.equal((await call.unary(Buffer.from('a'), new Metadata())).status.code, status.OK)
})
