import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Consumer, stringDeserializers } from '@platformatic/kafka'
import type { GroundswellError } from '../../core/index.ts'
import { type KafkaServer, kafkaMissing, startKafkaServer, until } from '../../testing/index.ts'
import type { Broker } from '../broker.ts'
import { openKafka } from './kafka.ts'
import { KafkaReader, type TextConsumer } from './kafka-reader.ts'
import { parseKafkaUrl } from './kafka-url.ts'

const PARTITIONS = 4
const JAAS = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="admin" password="inner";'

describe('a Kafka whose users log in by SCRAM-SHA-256', { skip: await kafkaMissing() }, () => {
  let kafka: KafkaServer
  const opened: Broker[] = []
  const readers: KafkaReader[] = []

  before(async () => {
    kafka = await startKafkaServer({
      protocol: 'SASL_PLAINTEXT',
      scram: { admin: 'inner', shop: 'secret' },
      settings: {
        'sasl.enabled.mechanisms': 'SCRAM-SHA-256',
        'sasl.mechanism.inter.broker.protocol': 'SCRAM-SHA-256',
        'listener.name.client.scram-sha-256.sasl.jaas.config': JAAS,
      },
    })
  })
  after(async () => {
    for (const reader of readers) await reader.stop()
    for (const broker of opened) await broker.close()
    await kafka?.stop()
  })

  const urlOf = (password: string) =>
    `${kafka.url.replace('kafka://', `kafka://shop:${password}@`)}?mechanism=scram-sha-256`
  const open = async (password = 'secret') => {
    const broker = await openKafka({ url: urlOf(password), clientId: 'test' })
    opened.push(broker)
    return broker
  }
  const declare = async (topic: string, group: string) => {
    const broker = await open()
    const topics = [{ name: topic, partitions: PARTITIONS, retentionMs: 3_600_000 }]
    await broker.declare({ topics, groups: [{ name: group, topics: [topic] }] })
    return broker
  }
  const recordOf = (topic: string, serial: number) => {
    return { topic, partition: serial % PARTITIONS, key: `${serial}`, value: `${serial}`, headers: {} }
  }

  test('the right password is let in, and a wrong one is an error that does not show it', async () => {
    await (await open()).ping()
    const wrong = await open('guessed-wrong')
    await assert.rejects(wrong.ping(), (error: GroundswellError) => {
      assert.equal(error.code, 'EVENTS_BROKER_UNAVAILABLE')
      assert.match(error.message, /SASL|[Aa]uthentication/)
      assert.doesNotMatch(error.message, /guessed-wrong/)
      return true
    })
  })

  /** A reader, with the clients that it has used so far and what they have read. */
  const read = async (options: { group: string; topic: string; instanceId?: string }) => {
    const { group, topic, instanceId } = options
    const { label: _, ...address } = parseKafkaUrl(urlOf('secret'))
    const clients: TextConsumer[] = []
    const [seen, failures]: [string[], string[]] = [[], []]
    const reader = new KafkaReader({
      subscription: {
        group,
        topics: [topic],
        onBatch: async (records) => void seen.push(...records.map(({ value }) => value)),
        onFailure: (error) => void failures.push(String(error)),
      },
      open() {
        const name = instanceId === undefined ? {} : { groupInstanceId: instanceId }
        const settings = { ...address, ...name, clientId: 'test', groupId: group }
        const client = new Consumer({ ...settings, deserializers: stringDeserializers })
        clients.push(client)
        return client
      },
      explain: (error) => error as Error,
      isStatic: instanceId !== undefined,
    })
    readers.push(reader)
    await reader.started()
    return { reader, clients, seen, failures }
  }
  type Member = Awaited<ReturnType<typeof read>>
  const partitionsOf = ({ reader }: Member) => reader.assigned().map(({ partition }) => partition)
  /** What it has read of the partitions that it has: a record's value is its serial, and that gives its partition. */
  const ownOf = (member: Member) => {
    const partitions = new Set(partitionsOf(member))
    return member.seen.filter((serial) => partitions.has(Number(serial) % PARTITIONS))
  }
  const generationOf = ({ clients }: Member) => clients.at(-1)?.generationId

  test('a member with a name that comes back has its partitions again, and the group has not noticed', async () => {
    const [topic, group] = ['members.named', 'named']
    const writer = await declare(topic, group)
    const stays = await read({ topic, group, instanceId: 'stays' })
    const leaves = await read({ topic, group, instanceId: 'restarts' })
    const share = PARTITIONS / 2
    const areEven = () => [stays, leaves].every((member) => partitionsOf(member).length === share)
    await until(areEven, { timeoutMs: 60_000, what: 'two members share the partitions' })
    const generation = generationOf(stays)
    const partitions = partitionsOf(leaves)
    // What was asked of the broker before they shared still brings records of all partitions: the first ones end it.
    await writer.publish(Array.from({ length: PARTITIONS }, (_, serial) => recordOf(topic, serial)))
    const haveBegun = () => [stays, leaves].every((member) => ownOf(member).length === share)
    await until(haveBegun, { timeoutMs: 30_000, what: 'both read what is theirs' })

    await leaves.reader.stop()
    await writer.publish(Array.from({ length: 40 }, (_, serial) => recordOf(topic, PARTITIONS + serial)))
    const comesBack = await read({ topic, group, instanceId: 'restarts' })
    await until(() => comesBack.seen.length >= 40 / 2, { timeoutMs: 30_000, what: 'the rest is read' })
    await until(() => ownOf(stays).length === share + 40 / 2, { timeoutMs: 30_000, what: 'all is read' })
    assert.deepEqual(partitionsOf(comesBack), partitions)
    assert.equal(generationOf(comesBack), generation, 'nobody had to share anew')
    assert.equal(generationOf(stays), generation)
    assert.equal(ownOf(comesBack).length, 40 / 2)
    assert.equal(comesBack.seen.length, 40 / 2)
  })

  test('a client that could not join its group again is replaced, and reading goes on', async () => {
    const [topic, group] = ['members.lost', 'lost']
    const writer = await declare(topic, group)
    const { clients, seen, failures } = await read({ topic, group })
    await writer.publish([recordOf(topic, 0)])
    await until(() => seen.length === 1, { timeoutMs: 30_000, what: 'it reads' })
    // What the client does when its coordinator shuts down in order and does not come back at once.
    clients[0]?.emit('error', new Error('joinGroup failed 3 times'))
    await until(() => clients.length === 2, { timeoutMs: 30_000, what: 'another client takes over' })
    await writer.publish([recordOf(topic, 1)])
    await until(() => seen.length === 2, { timeoutMs: 30_000, what: 'it reads again' })
    assert.deepEqual(seen, ['0', '1'])
    assert.deepEqual(failures, ['Error: joinGroup failed 3 times'])
  })
})
