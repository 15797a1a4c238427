import proxy from '@fastify/http-proxy'
import Fastify from 'fastify'

/** @fastify/http-proxy as its documentation starts it, with as many upstream connections as the gateway may open. */
const fastify = Fastify()
await fastify.register(proxy, {
  upstream: process.argv[2] ?? '',
  undici: { connections: 512, pipelining: 1, keepAliveTimeout: 60_000 },
})
console.log(`ready ${await fastify.listen({ host: '127.0.0.1', port: 0 })}`)
process.on('SIGTERM', () => process.exit(0))
