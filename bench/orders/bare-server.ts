import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The least that a server of orders could do: read the body, parse it, answer 202. Nothing is kept. */
const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const order = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { userId: number }
    const orderId = randomUUID()
    const status = Number.isInteger(order.userId) ? 202 : 400
    const body = JSON.stringify({ orderId, status: 'placed' })
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      location: `/orders/${orderId}`,
    })
    response.end(body)
  })
})

server.listen(0, '127.0.0.1', () => {
  console.log(`ready http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.on('SIGTERM', () => process.exit(0))
