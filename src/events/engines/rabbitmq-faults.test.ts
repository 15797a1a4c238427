import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Connection } from 'rabbitmq-client'
import { GroundswellError } from '../../core/index.ts'
import { systemMigrations } from '../../data/index.ts'
import { rabbitMqMissing, startRabbitMqServer, startTestCluster, until } from '../../testing/index.ts'
import type { Broker } from '../broker.ts'
import { brokerContract } from '../broker-contract.ts'
import { type BrokerFixture, PARTITIONS, type Scenario, scenarioOf } from '../broker-fixture.ts'
import { brokerLag } from '../broker-lag.ts'
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
  const sumOf = (rows: readonly { readonly messages: number }[]) => rows.reduce((sum, row) => sum + row.messages, 0)

  /** What `events lag` and the console show of the group, all partitions together. */
  const lagOf = async ({ name }: Scenario, engine: Broker) =>
    sumOf((await brokerLag(of().cluster, engine)).filter(({ group }) => group === name))

  test('what a frozen process has taken and not acknowledged is lag of its group', async () => {
    const scenario = scenarioOf('frozen-consumer')
    const reading = await of().begin(scenario)
    await of().write(scenario, 0, 10)
    await of().settled(scenario, 10)
    assert.equal(await lagOf(scenario, reading.engine), 0)
    await of().end(reading)
    const { engine } = await of().begin({ ...scenario, groups: [] })
    await of().startChild(scenario, 'freeze-delivering')
    await of().write(scenario, 10, 30)
    await of().forwarded()
    const ready = async () => sumOf(await engine.lag(scenario.declaration.groups))
    await until(async () => (await ready()) === 0, { what: 'the process has taken all there is' })
    assert.equal(await lagOf(scenario, engine), 6 * 20)
    await of().write(scenario, 30, 40)
    await of().forwarded()
    assert.equal(await lagOf(scenario, engine), 6 * 30)
  })

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
