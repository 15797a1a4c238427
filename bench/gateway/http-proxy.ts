import { Agent, createServer, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import httpProxy from 'http-proxy'

/** `http-proxy` behind a node:http server, with connections that are kept. */
const proxy = httpProxy.createProxyServer({ target: process.argv[2] ?? '', agent: new Agent({ keepAlive: true }) })
proxy.on('error', (_error, _request, response) => {
  if (response instanceof ServerResponse) response.writeHead(502)
  response.end()
})
const server = createServer((request, response) => proxy.web(request, response))
server.listen(0, '127.0.0.1', () => {
  console.log(`ready http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.on('SIGTERM', () => process.exit(0))
