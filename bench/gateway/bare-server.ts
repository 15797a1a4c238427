import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ANSWER, PATH } from './workload.ts'

/** A bare node:http server: what this machine's Node can do at all, and the upstream behind every proxy. */
const server = createServer((request, response) => {
  const status = request.url === PATH ? 200 : 404
  const body = JSON.stringify(ANSWER)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
})

server.listen(0, '127.0.0.1', () => {
  console.log(`ready http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.on('SIGTERM', () => process.exit(0))
