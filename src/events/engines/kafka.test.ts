import { systemMigrations } from '../../data/index.ts'
import { kafkaMissing, startKafkaServer, startTestCluster, until } from '../../testing/index.ts'
import { eventLogContract } from '../contract.ts'
import { eventsMigrations } from '../index.ts'
import { KAFKA, openKafka } from './kafka.ts'

eventLogContract({
  capabilities: KAFKA,
  skip: await kafkaMissing(),
  until,
  async start() {
    const kafka = await startKafkaServer()
    const { cluster, stop } = await startTestCluster({ shards: 2, migrations: [systemMigrations, eventsMigrations] })
    return {
      cluster,
      openBroker: () => openKafka({ url: kafka.url, clientId: 'contract' }),
      async stop() {
        await stop()
        await kafka.stop()
      },
    }
  },
})
