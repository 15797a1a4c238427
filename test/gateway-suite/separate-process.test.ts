import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { startShop, temporaryDataDir } from '../shop-process.ts'
import { startTestDatabases } from '../test-databases.ts'
import { gatewayContract } from './contract.ts'

const APP = fileURLToPath(new URL('app.ts', import.meta.url))

/** `groundswell start app.ts --only gateway`: the service runs in another process, which is this one. */
gatewayContract({
  name: 'as a process of its own',
  capabilities: { connectionSeen: 'keep-alive' },
  async start(echo) {
    const databases = await startTestDatabases(1)
    const dataDir = await temporaryDataDir()
    const service = createServer(echo).listen(0, '127.0.0.1')
    await once(service, 'listening')
    const stopService = async () => {
      service.close()
      service.closeAllConnections()
      await databases.stop()
      await dataDir.remove()
    }
    try {
      const gateway = await startShop(dataDir.path, {
        app: APP,
        args: ['--only', 'gateway'],
        env: {
          DATABASE_URLS: databases.urls.join(','),
          CONNECTIONS_MAX: '8',
          ECHO_SERVICE_URL: `http://127.0.0.1:${(service.address() as AddressInfo).port}`,
        },
      })
      return {
        port: Number(new URL(gateway.gateway).port),
        admin: gateway.admin,
        async stop() {
          gateway.signal('SIGTERM')
          await gateway.exited
          await stopService()
        },
      }
    } catch (error) {
      await stopService()
      throw error
    }
  },
})
