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
import { gapMet, workFailed } from '../channels.ts'
import { eventsMigrations } from '../index.ts'
import { moveGroup } from '../operations.ts'
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
  test('what a frozen process has taken and not acknowledged is lag of its group', async () => {
    const scenario = scenarioOf('frozen-consumer')
    const reading = await of().begin(scenario)
    await of().write(scenario, 0, 10)
    await of().settled(scenario, 10)
    assert.equal(await lagOf(of(), scenario, reading.engine), 0)
    await of().end(reading)
    const { engine } = await of().begin({ ...scenario, groups: [] })
    await of().startChild(scenario, 'freeze-delivering')
    await of().write(scenario, 10, 30)
    await of().forwarded()
    const ready = async () => sumOf(await engine.lag(scenario.declaration.groups))
    await until(async () => (await ready()) === 0, { what: 'the process has taken all there is' })
    assert.equal(await lagOf(of(), scenario, engine), 6 * 20)
    await of().write(scenario, 30, 40)
    await of().forwarded()
    assert.equal(await lagOf(of(), scenario, engine), 6 * 30)
  })

  test('a reader whose lag cannot be asked for says when it asks again', async () => {
    const scenario = scenarioOf('lag-unknown')
    const pauses: number[] = []
    const end = workFailed.subscribe(({ part, retryInMs }) => {
      if (part === `broker:${scenario.name}`) pauses.push(retryInMs)
    })
    const lag = () => Promise.reject(new Error('as the test wants it'))
    await of().begin(scenario, { stallMs: 400, faults: () => ({ lag }) })
    await until(() => pauses.length > 0)
    end()
    assert.equal(pauses[0], 200)
  })

  gapsAlone(of)
}

function gapsAlone(of: () => BrokerFixture): void {
  test('C3 19: records that somebody removed stop their partition, which says so; the others go on', async () => {
    const scenario = scenarioOf('removed')
    const lost = partitionOf('0', PARTITIONS)
    await lose(of(), scenario, lost)

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

  test('while a group stands at a gap that is told, and what it has not read is lag, until it is moved on', async () => {
    const scenario = scenarioOf('standing')
    const lost = partitionOf('0', PARTITIONS)
    await lose(of(), scenario, lost)
    const open = new Map<number, number>()
    let closed = 0
    const end = gapMet.subscribe(({ group, source, stream, after, isOpen }) => {
      assert.deepEqual([group, stream], [scenario.name, `${scenario.type.name}/${lost}`])
      if (isOpen) open.set(source, after)
      else if (open.delete(source)) closed++
    })
    const { engine } = await of().begin(scenario)
    await of().write(scenario, 11, 20)
    const accounts = [0, 1, 2, 3, 4, 5].filter((account) => partitionOf(String(account), PARTITIONS) === lost)
    const sources = new Set(accounts.map((account) => account % 2))
    await until(() => open.size > 0, { what: 'a gap is told of' })
    await of().forwarded()
    await until(async () => (await lagOf(of(), scenario, engine)) === accounts.length * 10)
    assert.equal(closed, 0, 'an attempt that fails says nothing of being past it')
    const position = { group: scenario.name, stream: `${scenario.type.name}/${lost}` }
    // What another shard lost of the partition may be met only once this one is moved on.
    const moved = new Set<number>()
    await until(async () => {
      const met = [...open].filter(([source]) => !moved.has(source))
      for (const [source, offset] of met) await moveGroup(of().cluster, { ...position, source, offset })
      for (const [source] of met) moved.add(source)
      return closed === sources.size && (await lagOf(of(), scenario, engine)) === 0
    })
    end()
    assert.equal(open.size, 0)
  })
}

function sumOf(rows: readonly { readonly messages: number }[]): number {
  return rows.reduce((sum, row) => sum + row.messages, 0)
}

/** What `events lag` and the console show of the group, all partitions together. */
async function lagOf({ cluster }: BrokerFixture, { name }: Scenario, engine: Broker): Promise<number> {
  return sumOf((await brokerLag(cluster, engine)).filter(({ group }) => group === name))
}

/** Of ten events of each account the group has had all; of the eleventh, one partition's were removed. */
async function lose(fixture: BrokerFixture, scenario: Scenario, lost: number): Promise<void> {
  const reading = await fixture.begin(scenario)
  await fixture.write(scenario, 0, 10)
  await fixture.settled(scenario, 10)
  await fixture.end(reading)
  const writing = await fixture.begin({ ...scenario, groups: [] })
  await fixture.write(scenario, 10, 11)
  await until(async () => sumOf(await writing.engine.lag(scenario.declaration.groups)) === 6)
  const connection = new Connection({ url: fixture.server.url.replace('//', '//guest:guest@') })
  await connection.queuePurge(`groundswell.${scenario.name}:${scenario.type.name}:${lost}`)
  await connection.close()
  await fixture.end(writing)
}
