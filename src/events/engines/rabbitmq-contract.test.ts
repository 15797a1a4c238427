import { systemMigrations } from '../../data/index.ts'
import { rabbitMqMissing, startRabbitMqServer, startTestCluster, until } from '../../testing/index.ts'
import { eventLogContract } from '../contract.ts'
import { eventsMigrations } from '../index.ts'
import { openRabbitMq, RABBITMQ } from './rabbitmq.ts'

eventLogContract({
  capabilities: RABBITMQ,
  skip: rabbitMqMissing(),
  until,
  async start() {
    const server = await startRabbitMqServer()
    const { cluster, stop } = await startTestCluster({ shards: 2, migrations: [systemMigrations, eventsMigrations] })
    return {
      cluster,
      openBroker: () => openRabbitMq({ url: server.url, clientId: 'contract' }),
      async stop() {
        await stop()
        await server.stop()
      },
    }
  },
})
