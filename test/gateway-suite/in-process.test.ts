import { randomUUID } from 'node:crypto'
import {
  createAdminApi,
  createConfigStore,
  createGateway,
  gatewayMigrations,
  installedPlugins as plugins,
} from '../../src/gateway/index.ts'
import { startTestCluster } from '../../src/testing/index.ts'
import { gatewayContract } from './contract.ts'

const LOOPBACK = { host: '127.0.0.1', port: 0 }
const VERSION = '3.9.1'
const NO_CONNECTIONS = { accepted: 0, active: 0, handled: 0, reading: 0, writing: 0, waiting: 0, requests: 0 }

/** One process: the service is called without a network hop. */
gatewayContract({
  name: 'in one process with the services',
  capabilities: { connectionSeen: undefined },
  async start(echo) {
    const { cluster, stop: stopCluster } = await startTestCluster({ shards: 1, migrations: [gatewayMigrations] })
    const store = createConfigStore({ cluster, plugins })
    await store.start()
    const gateway = createGateway({
      config: store,
      plugins,
      version: VERSION,
      resolve: ({ host }) => (host === 'echo-service' ? { kind: 'local', dispatch: echo } : undefined),
    })
    const info = { version: VERSION, hostname: 'test', nodeId: randomUUID(), connections: () => NO_CONNECTIONS }
    const { upstreams } = gateway
    const admin = createAdminApi({ store, plugins, info, upstreams, cachedResponses: () => gateway.cachedResponses() })
    const adminAt = await admin.listen(LOOPBACK)
    const { port } = await gateway.listen(LOOPBACK)
    return {
      port,
      admin: `http://127.0.0.1:${adminAt.port}`,
      async stop() {
        const deadline = { deadlineAtMs: Date.now() + 5_000 }
        await gateway.close(deadline)
        await admin.close(deadline)
        await store.stop(deadline)
        await stopCluster()
      },
    }
  },
})
