import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect as connectTo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { Connection } from 'rabbitmq-client'
import { selfSigned } from '../../gateway/index.ts'
import {
  type CutOff,
  type RabbitMqServer,
  rabbitMqMissing,
  startCutOff,
  startRabbitMqServer,
  until,
} from '../../testing/index.ts'
import type { BrokerReader, BrokerRecord } from '../broker.ts'
import { brokerBlocked } from '../channels.ts'
import { RABBITMQ_UNCONFIRMED_MAX } from '../limits.ts'
import { RabbitMqBroker, type RabbitMqOptions } from './rabbitmq.ts'

const GROUP = 'readers'

/** What a reader saw, without repetitions; a record that comes before its predecessor is an error. */
class Seen {
  readonly next = new Map<number, number>()
  repetitions = 0
  fails: (record: BrokerRecord) => boolean = () => false

  take(records: readonly BrokerRecord[]): void {
    for (const record of records) {
      const next = this.next.get(record.partition) ?? 0
      const index = Number(record.headers.index)
      assert.ok(index <= next, `record ${index} of partition ${record.partition} came before ${next}`)
      if (index < next) this.repetitions++
      else if (this.fails(record)) throw new Error('as the test wants it')
      else this.next.set(record.partition, index + 1)
    }
  }

  count(partition: number): number {
    return this.next.get(partition) ?? 0
  }
}

/** Records `from` to `to` of a partition. */
function recordsOf(topic: string, partition: number, range: { from?: number; to: number }): BrokerRecord[] {
  const { from = 0, to } = range
  return Array.from({ length: to - from }, (_, n) => {
    return { topic, partition, key: `k${partition}`, value: `{"n":"ü${from + n}"}`, headers: { index: `${from + n}` } }
  })
}

describe('RabbitMQ', { skip: rabbitMqMissing() }, () => {
  let server: RabbitMqServer
  let open: RabbitMqBroker[] = []
  let readers: BrokerReader[] = []
  let ways: CutOff[] = []
  const failures: unknown[] = []
  let topics = 0

  before(async () => {
    server = await startRabbitMqServer()
  })
  after(() => server?.stop())

  const close = async () => {
    await Promise.all(readers.map((reader) => reader.stop()))
    await Promise.all(open.map((broker) => broker.close()))
    await Promise.all(ways.map((way) => way.stop()))
    readers = []
    open = []
    ways = []
  }

  /** A way to the server that the test can cut. */
  const startWay = async () => {
    const way = await startCutOff(Number(new URL(server.url).port))
    ways.push(way)
    return { ...way, url: `amqp://127.0.0.1:${way.port}` }
  }

  const connect = (options: Partial<RabbitMqOptions> = {}) => {
    const broker = new RabbitMqBroker({ url: server.url, clientId: 'test', ...options })
    open.push(broker)
    return broker
  }

  /** A topic of the test's own, with a group that reads it. */
  const declared = async (broker: RabbitMqBroker, partitions = 2) => {
    const topic = `test.topic-${++topics}`
    const declaration = {
      topics: [{ name: topic, partitions, retentionMs: 60_000 }],
      groups: [{ name: GROUP, topics: [topic] }],
    }
    await broker.declare(declaration)
    return { topic, declaration }
  }

  const read = async (broker: RabbitMqBroker, topic: string, seen: Seen) => {
    const reader = await broker.subscribe({
      group: GROUP,
      topics: [topic],
      onBatch: async (records) => seen.take(records),
      onFailure: (error) => failures.push(error),
    })
    readers.push(reader)
    return reader
  }

  const inTest = (name: string, run: () => Promise<void>) =>
    test(name, async () => {
      failures.length = 0
      try {
        await run()
      } finally {
        await close()
      }
    })

  inTest('a group gets every record as it was, in order, also what was there before it read', async () => {
    const broker = connect()
    const { topic, declaration } = await declared(broker)
    const headers = { ce_id: '1', ce_place: '0:7:3', 'content-type': 'application/json' }
    const record = { topic, partition: 1, key: 'ключ', value: '{"a":"ü \\u0000"}', headers }
    await broker.publish([record])
    const got: BrokerRecord[] = []
    const reader = await broker.subscribe({
      ...{ group: GROUP, topics: [topic], onFailure: (error) => failures.push(error) },
      onBatch: async (records) => void got.push(...records),
    })
    await until(() => got.length === 1)
    assert.deepEqual(got, [record])
    assert.deepEqual(
      reader.assigned?.().map((one) => one.partition),
      [1],
    )
    await reader.stop()
    const lags = await connect().lag(declaration.groups)
    assert.deepEqual(
      lags.map(({ partition, messages }) => [partition, messages]),
      [
        [0, 0],
        [1, 0],
      ],
    )
    await reader.stop()
  })

  inTest('a topic with another number of partitions is refused, the same one is not', async () => {
    const broker = connect()
    const { topic, declaration } = await declared(broker)
    await broker.declare(declaration)
    const more = { ...declaration, topics: [{ name: topic, partitions: 3, retentionMs: 60_000 }] }
    await assert.rejects(connect().declare(more), { code: 'EVENTS_BROKER_MISMATCH', message: /has 2 partitions/ })
  })

  inTest('publications side by side do not disturb each other', async () => {
    const broker = connect()
    const { topic } = await declared(broker)
    await Promise.all([0, 1].map((partition) => broker.publish(recordsOf(topic, partition, { to: 3_000 }))))
    const seen = new Seen()
    await read(broker, topic, seen)
    await until(() => seen.count(0) === 3_000 && seen.count(1) === 3_000)
    assert.equal(seen.repetitions, 0)
  })

  inTest('a batch that fails comes again, before any later record of its partition; others go on', async () => {
    const broker = connect()
    const { topic } = await declared(broker)
    const seen = new Seen()
    let failed = 0
    seen.fails = ({ partition, headers }) => partition === 0 && headers.index === '5' && ++failed < 4
    await broker.publish([...recordsOf(topic, 0, { to: 20 }), ...recordsOf(topic, 1, { to: 20 })])
    await read(broker, topic, seen)
    await until(() => seen.count(1) === 20, { what: 'the other partition is read' })
    await until(() => seen.count(0) === 20, { what: 'the failing one too' })
    assert.equal(failed, 4)
    assert.ok(failures.length >= 3)
  })

  inTest('while it is paused a reader asks for nothing; stopped, it leaves the rest to others', async () => {
    const broker = connect()
    const { topic, declaration } = await declared(broker)
    const seen = new Seen()
    const reader = await read(broker, topic, seen)
    reader.pause()
    await broker.publish(recordsOf(topic, 0, { to: 10 }))
    await until(async () => (await broker.lag(declaration.groups))[0]?.messages === 10)
    assert.equal(seen.count(0), 0)
    await reader.stop()
    await read(broker, topic, seen)
    await until(() => seen.count(0) === 10)
  })

  inTest('C3 17: a record with no queue is an error, and nothing is taken for published', async () => {
    const broker = connect()
    const { topic, declaration } = await declared(broker)
    await asAnybody((channel) => channel.queueDelete({ queue: `groundswell.${GROUP}:${topic}:1` }))
    const records = [...recordsOf(topic, 0, { to: 3 }), ...recordsOf(topic, 1, { to: 3 })]
    await assert.rejects(broker.publish(records), { code: 'EVENTS_BROKER_UNROUTABLE', message: /NO_ROUTE/ })
    await broker.declare(declaration)
    await broker.publish(records)
    const nobodys = `test.unread-${topics}`
    await broker.declare({ topics: [{ name: nobodys, partitions: 1, retentionMs: 1 }], groups: [] })
    await broker.publish(recordsOf(nobodys, 0, { to: 1 }))
  })

  inTest('C3 17: a record returned again and again is a dead letter, with the reason, and told of', async () => {
    const broker = connect({ deliveriesMax: 3 })
    const { topic } = await declared(broker)
    await broker.publish(recordsOf(topic, 0, { to: 1 }))
    await asAnybody(async (channel) => {
      let deliveries = 0
      await channel.basicConsume({ queue: `groundswell.${GROUP}:${topic}:0` }, ({ deliveryTag }) => {
        deliveries++
        channel.basicNack({ deliveryTag, requeue: true })
      })
      await until(() => deliveries >= 4, { what: 'the limit of deliveries' })
    })
    const letter = await until(() => asAnybody((channel) => channel.basicGet(`groundswell.${GROUP}:dead`)))
    assert.equal(letter.headers?.['x-first-death-reason'], 'delivery_limit')
    assert.equal(letter.headers?.['x-first-death-queue'], `groundswell.${GROUP}:${topic}:0`)
    assert.equal(letter.headers?.index, '0')
    await read(broker, topic, new Seen())
    await until(() => failures.some((error) => (error as { code?: string }).code === 'EVENTS_BROKER_DEAD_LETTERED'))
  })

  inTest('C3 18: a connection cut with 1,000 records unconfirmed: all are repeated, each is seen once', async () => {
    const way = await startWay()
    const broker = connect({ url: way.url })
    const { topic, declaration } = await declared(broker)
    const records = recordsOf(topic, 0, { to: 6_000 })
    const outcome = broker.publish(records).then(
      () => 'published',
      (error: { code?: string }) => error.code,
    )
    const other = connect()
    const arrived = async () => (await other.lag(declaration.groups))[0]?.messages ?? 0
    await until(async () => (await arrived()) > 0)
    // From here on nothing is confirmed: what arrives until the window is full is more than it holds.
    way.hold()
    await until(async () => (await arrived()) > RABBITMQ_UNCONFIRMED_MAX)
    way.cut()
    assert.equal(await outcome, 'EVENTS_BROKER_UNAVAILABLE')
    way.resume()
    const publishAgain = () =>
      broker.publish(records).then(
        () => true,
        () => false,
      )
    await until(publishAgain)
    const seen = new Seen()
    await read(broker, topic, seen)
    await until(() => seen.count(0) === 6_000 && seen.repetitions > 1_000)
  })

  inTest('a full queue refuses, and takes the same records once somebody reads', async () => {
    const broker = connect({ queueRecordsMax: 1_000 })
    const { topic } = await declared(broker, 1)
    let end = 0
    const publish = () =>
      broker.publish(recordsOf(topic, 0, { from: end, to: end + 200 })).then(
        () => (end += 200),
        (error: unknown) => error,
      )
    const refusal = await until(async () => {
      const outcome = await publish()
      return typeof outcome === 'number' ? false : outcome
    })
    assert.equal((refusal as { code?: string }).code, 'EVENTS_BROKER_REJECTED')
    const full = end
    const seen = new Seen()
    await read(broker, topic, seen)
    await until(async () => (await publish()) === full + 1_000, { what: 'more is taken' })
    await until(() => seen.count(0) === end)
  })

  inTest('a server without memory blocks publishing, says so, and goes on by itself', async () => {
    const broker = connect()
    const { topic } = await declared(broker)
    const facts: boolean[] = []
    const end = brokerBlocked.subscribe(({ blocked }) => facts.push(blocked))
    await broker.publish(recordsOf(topic, 0, { to: 1 }))
    await server.evaluate('rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []}).')
    let isPublished = false
    const published = broker.publish(recordsOf(topic, 0, { from: 1, to: 3_000 })).then(() => {
      isPublished = true
    })
    await until(() => facts.at(-1) === true)
    await broker.ping()
    assert.equal(isPublished, false)
    await server.evaluate('rabbit_alarm:clear_alarm({resource_limit, memory, node()}).')
    await published
    assert.deepEqual(facts, [true, false])
    end()
  })

  inTest('of two processes one reads a partition; when it is cut off, the other goes on from there', async () => {
    const way = await startWay()
    const first = connect({ url: way.url })
    const { topic, declaration } = await declared(first)
    const seen = { first: new Seen(), second: new Seen() }
    await read(first, topic, seen.first)
    const second = connect()
    await second.declare(declaration)
    await read(second, topic, seen.second)
    await second.publish(recordsOf(topic, 0, { to: 50 }))
    await until(() => seen.first.count(0) === 50)
    assert.equal(seen.second.count(0), 0)
    // What the first got and could not acknowledge comes again to the second.
    seen.second.next.set(0, 50)
    way.hold()
    way.cut()
    await second.publish(recordsOf(topic, 0, { from: 50, to: 100 }))
    await until(() => seen.second.count(0) === 100)
    assert.equal(seen.first.count(0), 50)
    way.resume()
  })

  inTest('a process that joins gets its share of the partitions', async () => {
    const [first, second] = [connect({ checkMs: 50 }), connect({ checkMs: 50 })]
    const { topic, declaration } = await declared(first, 4)
    await second.declare(declaration)
    const seen = [new Seen(), new Seen()] as const
    const reader = { first: await read(first, topic, seen[0]), second: await read(second, topic, seen[1]) }
    let sent = 0
    // What one has read the other need not: positions in the database are common to both outside of this test.
    for (const one of seen) one.take = () => undefined
    const share = async () => {
      const next = { from: sent, to: ++sent }
      await first.publish([0, 1, 2, 3].flatMap((partition) => recordsOf(topic, partition, next)))
      return [reader.first, reader.second].map((one) => one.assigned?.().length).join(' and ')
    }
    await until(async () => (await share()) === '2 and 2')
    await reader.second.stop()
    await until(async () => (await share()) === '4 and 0')
  })

  inTest('by TLS, as a user of a vhost that may touch only what begins with the prefix', async () => {
    const [name, allowed] = ['<<"shop">>', '<<"^groundswell\\\\..*">>']
    await server.evaluate(`rabbit_vhost:add(${name}, ${name}).`)
    await server.evaluate(`rabbit_auth_backend_internal:add_user(${name}, <<"p@ss">>, ${name}).`)
    const permissions = [name, name, allowed, allowed, allowed, name].join(', ')
    await server.evaluate(`rabbit_auth_backend_internal:set_permissions(${permissions}).`)
    const certificate = selfSigned('localhost')
    const front = createTlsServer(certificate, (client) => {
      const socket = connectTo(Number(new URL(server.url).port), '127.0.0.1')
      client.pipe(socket).pipe(client)
      for (const end of [client, socket]) end.on('error', () => [client, socket].map((one) => one.destroy()))
    })
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
    const { port } = front.address() as { readonly port: number }
    const folder = await mkdtemp(join(tmpdir(), 'groundswell-ca-'))
    await writeFile(join(folder, 'ca.pem'), certificate.cert)
    const at = `localhost:${port}/shop`
    await assert.rejects(connect({ url: `amqps://shop:p%40ss@${at}` }).ping(), { message: /self-signed/ })
    const url = (password: string) => `amqps://shop:${password}@${at}?ca=${join(folder, 'ca.pem')}`
    await assert.rejects(connect({ url: url('wrong') }).ping(), {
      code: 'EVENTS_BROKER_UNAVAILABLE',
      message: /ACCESS_REFUSED/,
    })
    const broker = connect({ url: url('p%40ss') })
    const { topic } = await declared(broker, 1)
    await broker.publish(recordsOf(topic, 0, { to: 100 }))
    const seen = new Seen()
    await read(broker, topic, seen)
    await until(() => seen.count(0) === 100)
    await close()
    await new Promise((resolve) => front.close(resolve))
    await rm(folder, { recursive: true })
  })

  /** What other programs may do: on a connection of its own, gone afterwards. */
  async function asAnybody<T>(run: (channel: Awaited<ReturnType<Connection['acquire']>>) => Promise<T>): Promise<T> {
    const connection = new Connection({ url: server.url.replace('//', '//guest:guest@') })
    const channel = await connection.acquire()
    try {
      return await run(channel)
    } finally {
      await channel.close()
      await connection.close()
    }
  }
})

test('what is no RabbitMQ, or an old one, or nothing at all, is told apart', async () => {
  let greeting = Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')
  const listener = createServer((socket) => socket.resume().end(greeting))
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const { port } = listener.address() as { readonly port: number }
  const broker = new RabbitMqBroker({ url: `amqp://127.0.0.1:${port}`, clientId: 'test' })
  await assert.rejects(broker.ping(), { code: 'EVENTS_BROKER_UNSUPPORTED', message: /does not speak/ })
  greeting = Buffer.from('\x07productS\0\0\0\x08RabbitMQ\x07versionS\0\0\0\x063.9.29\xce', 'latin1')
  await assert.rejects(broker.ping(), { code: 'EVENTS_BROKER_UNSUPPORTED', message: /3\.9\.29/ })
  await new Promise((resolve) => listener.close(resolve))
  await assert.rejects(broker.ping(), { code: 'EVENTS_BROKER_UNAVAILABLE', message: /ECONNREFUSED/ })
  await broker.close()
})
