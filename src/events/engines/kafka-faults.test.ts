import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Admin, Consumer, stringDeserializers } from '@platformatic/kafka'
import { GroundswellError } from '../../core/index.ts'
import { systemMigrations } from '../../data/index.ts'
import { kafkaMissing, startKafkaServer, startTestCluster, until } from '../../testing/index.ts'
import { brokerContract } from '../broker-contract.ts'
import { aroundBatches, type BrokerFixture, PARTITIONS, scenarioOf } from '../broker-fixture.ts'
import { eventsMigrations, moveGroup, workFailed } from '../index.ts'
import { partitionOf } from '../partition.ts'
import { openKafka } from './kafka.ts'
import { KafkaReader, type TextConsumer } from './kafka-reader.ts'

await brokerContract(
  {
    name: 'Kafka',
    skip: await kafkaMissing(),
    file: import.meta.filename,
    until,
    startServer: startKafkaServer,
    // A session shorter than usual: a reader that is killed keeps its partitions for as long.
    openBroker: (url) => openKafka({ url, clientId: 'test', sessionMs: 3_000 }),
    startCluster: () => startTestCluster({ shards: 2, migrations: [systemMigrations, eventsMigrations] }),
  },
  (of) => {
    positionsLost(of)
    readersPutOut(of)
  },
)

function positionsLost(of: () => BrokerFixture): void {
  test('C3 15: a group whose committed offsets are gone begins at the oldest record and repeats no effect', async () => {
    const scenario = scenarioOf('lost-offsets')
    const first = await of().begin(scenario)
    await of().write(scenario, 0, 30)
    await of().settled(scenario, 30)
    await of().end(first)
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [addressOf(of().server)] })
    await until(() =>
      admin.deleteGroups({ groups: [scenario.name] }).then(
        () => true,
        () => false,
      ),
    )
    await admin.close()
    let records = 0
    await of().begin(scenario, { faults: aroundBatches({ before: (count) => (records += count) }) })
    await of().write(scenario, 30, 40)
    await of().settled(scenario, 40)
    assert.ok(records >= 6 * 40, `${records} records: it began at the oldest`)
  })

  test('C3 19: records removed before a group has read them are an error; moved past them, the group goes on', async () => {
    const scenario = scenarioOf('expired')
    const first = await of().begin(scenario)
    await of().write(scenario, 0, 10)
    await of().settled(scenario, 10)
    await of().end(first)
    const forwarder = await of().begin({ ...scenario, groups: [] })
    await of().write(scenario, 10, 20)
    await of().forwarded()
    await of().end(forwarder)
    const topic = scenario.type.name
    const expired = partitionOf('0', PARTITIONS)
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [addressOf(of().server)] })
    const listed = await admin.listOffsets({
      topics: [{ name: topic, partitions: [{ partitionIndex: expired, timestamp: -1n }] }],
    })
    const offset = (listed[0]?.partitions[0]?.offset ?? 0n) - 1n
    await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: expired, offset }] }] })
    await admin.close()

    const gaps: GroundswellError[] = []
    const end = workFailed.subscribe(({ error }) => {
      if (error instanceof GroundswellError && error.code === 'EVENTS_OFFSET_EXPIRED') gaps.push(error)
    })
    await of().begin(scenario, { stallMs: 2_000 })
    const gap = await until(() => gaps[0], { what: 'the gap is told' })
    const { source, stream, after: next } = gap.details as { source: number; stream: string; after: number }
    assert.equal(stream, `${topic}/${expired}`)
    const others = [0, 1, 2, 3, 4, 5].filter((account) => partitionOf(String(account), PARTITIONS) !== expired)
    await until(async () => {
      const rows = await of().effects(scenario)
      return others.every((account) => rows.filter((row) => row.account === account).length === 20)
    })
    await moveGroup(of().cluster, { group: scenario.name, source, stream, offset: next })
    await until(async () => {
      const rows = await of().effects(scenario)
      return rows.some((row) => !others.includes(row.account) && row.serial === 19)
    })
    end()
  })
}

function readersPutOut(of: () => BrokerFixture): void {
  test('a reader that was put out of its group as the broker dies begins anew when that is back', async () => {
    const { values, publish, late, stop } = await putOutReader(of(), 'put-out')
    await of().server.kill()
    await late.close(true)
    await of().server.restart()
    const isPublished = () =>
      publish('second').then(
        () => true,
        () => false,
      )
    await until(isPublished)
    await until(() => values.includes('second'), { timeoutMs: 60_000 })
    await stop()
  })

  test('a reader that is stopped while it joins again, as the broker dies, ends and throws at nobody', async () => {
    const { stop } = await putOutReader(of(), 'stopped')
    const stopped = stop()
    await of().server.kill()
    await stopped
    await of().server.restart()
  })
}

/** A reader with a topic of its own that was put out of its group, and cannot come back while the test looks. */
async function putOutReader(fixture: BrokerFixture, name: string) {
  const engine = await fixture.openBroker()
  const topic = `reader.${name}`
  await engine.declare({ topics: [{ name: topic, partitions: 1, retentionMs: 3_600_000 }], groups: [] })
  const open = (heartbeatInterval: number): TextConsumer =>
    new Consumer({
      ...{ clientId: 'test', groupId: name, bootstrapBrokers: [addressOf(fixture.server)], retries: 1, retryDelay: 50 },
      ...{ deserializers: stringDeserializers, heartbeatInterval, sessionTimeout: 6_000, rebalanceTimeout: 6_000 },
    })
  const consumers: TextConsumer[] = []
  const values: string[] = []
  const reader = new KafkaReader({
    subscription: {
      group: name,
      topics: [topic],
      onBatch: async (records) => void values.push(...records.map(({ value }) => value)),
      onFailure: () => undefined,
    },
    open: () => consumers[consumers.push(open(200)) - 1] as TextConsumer,
    explain: (error) => error as Error,
  })
  await reader.started()
  const publish = (value: string) => engine.publish([{ topic, partition: 0, key: '0', value, headers: {} }])
  await publish('first')
  await until(() => values.includes('first'))
  // Whoever joins waits for all members, and this one answers late.
  const late = open(5_500)
  late.on('error', () => undefined)
  await late.joinGroup()
  const [consumer = assert.fail()] = consumers
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [addressOf(fixture.server)] })
  const putOut = async () => {
    const { memberId } = consumer
    if (memberId === null) return undefined
    await admin.removeMembersFromConsumerGroup({ groupId: name, members: [{ memberId }] })
    return memberId
  }
  const was = await until(() => putOut().catch(() => undefined))
  await until(() => consumer.memberId !== was, { what: 'it learns that it was put out, and joins again' })
  const stop = async () => {
    await Promise.all([reader.stop(), engine.close(), late.close(true), admin.close()])
  }
  return { values, publish, late, stop }
}

/** Without the scheme, as the client wants it. */
function addressOf({ url }: { readonly url: string }): string {
  return url.slice('kafka://'.length)
}
