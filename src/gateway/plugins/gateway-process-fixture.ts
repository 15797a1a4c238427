import type { GatewayConfig } from '../config/entities.ts'
import { createGateway } from '../gateway.ts'
import { ConfigFixture } from '../gateway-fixture.ts'

/** For tests: a gateway as a process, whose configuration its parent sends. Ends when the parent lets go of it. */
const config = new ConfigFixture()
const gateway = createGateway({ config, resolve: () => undefined, version: '3.9.1' })

process.on('message', (sent: GatewayConfig) => {
  config.replace(sent)
  process.send?.({})
})
process.on('disconnect', () => void gateway.close({ deadlineAtMs: Date.now() + 1_000 }))
process.send?.(await gateway.listen({ host: '127.0.0.1', port: 0 }))
