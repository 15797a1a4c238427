import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Connection } from 'rabbitmq-client'
import { GroundswellError } from '../../core/index.ts'
import { systemMigrations } from '../../data/index.ts'
import { rabbitMqMissing, startRabbitMqServer, startTestCluster, until } from '../../testing/index.ts'
import { brokerContract } from '../broker-contract.ts'
import { type BrokerFixture, PARTITIONS, scenarioOf } from '../broker-fixture.ts'
import { workFailed } from '../channels.ts'
import { eventsMigrations } from '../index.ts'
import { partitionOf } from '../partition.ts'
import { openRabbitMq } from './rabbitmq.ts'

await brokerContract(
  {
    name: 'RabbitMQ',
    skip: rabbitMqMissing(),
    file: import.meta.filename,
    until,
    async startServer() {
      const server = await startRabbitMqServer()
      // It forgets where a queue is that was declared within a second or so before a crash, and never finds it again.
      return { ...server, flush: () => server.evaluate('[dets:sync(Table) || Table <- dets:all()].') }
    },
    openBroker: (url) => openRabbitMq({ url, clientId: 'test' }),
    startCluster: () => startTestCluster({ shards: 2, migrations: [systemMigrations, eventsMigrations] }),
  },
  rabbitMqAlone,
)

function rabbitMqAlone(of: () => BrokerFixture): void {
  test('C3 19: records that somebody removed stop their partition, which says so; the others go on', async () => {
    const scenario = scenarioOf('removed')
    const reading = await of().begin(scenario)
    await of().write(scenario, 0, 10)
    await of().settled(scenario, 10)
    await of().end(reading)
    const writing = await of().begin({ ...scenario, groups: [] })
    await of().write(scenario, 10, 11)
    const waiting = async () => {
      const rows = await writing.engine.lag(scenario.declaration.groups)
      return rows.reduce((sum, row) => sum + row.messages, 0)
    }
    await until(async () => (await waiting()) === 6)
    const lost = partitionOf('0', PARTITIONS)
    const connection = new Connection({ url: of().server.url.replace('//', '//guest:guest@') })
    await connection.queuePurge(`groundswell.${scenario.name}:${scenario.type.name}:${lost}`)
    await connection.close()
    await of().end(writing)

    const gaps: string[] = []
    const end = workFailed.subscribe(({ error }) => {
      if (error instanceof GroundswellError && error.code === 'EVENTS_OFFSET_EXPIRED') gaps.push(error.message)
    })
    await of().begin(scenario)
    await of().write(scenario, 11, 20)
    await until(() => gaps.length > 0, { what: 'the gap is told of' })
    const isLost = (account: number) => partitionOf(String(account), PARTITIONS) === lost
    const others = [0, 1, 2, 3, 4, 5].filter((account) => !isLost(account))
    await until(async () => {
      const rows = await of().effects(scenario)
      return others.every((account) => rows.filter((row) => row.account === account).length === 20)
    })
    end()
    assert.match(gaps[0] ?? '', new RegExp(`${scenario.type.name}/${lost}`))
    assert.equal((await of().effects(scenario)).filter((row) => row.account === 0).length, 10)
  })
}
