import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { Connection, Producer, stringSerializers } from '@platformatic/kafka'
import { z } from 'zod'
import { event, GroundswellError, newContext } from '../../core/index.ts'
import { systemMigrations } from '../../data/index.ts'
import type { TestCluster } from '../../testing/index.ts'
import { type KafkaServer, kafkaMissing, startKafkaServer, startTestCluster, until } from '../../testing/index.ts'
import type { Broker } from '../broker.ts'
import { type EventsRuntime, emit, eventsMigrations, onBatch, startEvents, workFailed } from '../index.ts'
import { openKafka } from './kafka.ts'
import { parseKafkaUrl } from './kafka-url.ts'

const Tick = event('access.tick', 1, z.object({ serial: z.int() }), { key: () => 1 })
const DECLARATION = {
  topics: [{ name: Tick.name, partitions: 2, retentionMs: 3_600_000 }],
  groups: [{ name: 'access', topics: [Tick.name] }],
}
const JAAS =
  'org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="inner" user_admin="inner" user_shop="p@ss:word";'

describe('a Kafka that demands TLS and a password', { skip: await kafkaMissing() }, () => {
  let folder: string
  let kafka: KafkaServer
  let postgres: TestCluster
  let running: { runtime: EventsRuntime; engine: Broker | undefined } | undefined
  const seen: number[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'groundswell-access-'))
    await makeCertificate(folder)
    const pem = { 'ssl.keystore.type': 'PEM', 'ssl.truststore.type': 'PEM' }
    const stores = {
      'ssl.keystore.location': join(folder, 'both.pem'),
      'ssl.truststore.location': join(folder, 'cert.pem'),
    }
    const sasl = {
      'sasl.enabled.mechanisms': 'PLAIN',
      'sasl.mechanism.inter.broker.protocol': 'PLAIN',
      'listener.name.client.plain.sasl.jaas.config': JAAS,
    }
    kafka = await startKafkaServer({ protocol: 'SASL_SSL', settings: { ...pem, ...stores, ...sasl } })
    postgres = await startTestCluster({ shards: 1, migrations: [systemMigrations, eventsMigrations] })
  })
  afterEach(() => stop())
  after(async () => {
    await postgres?.stop()
    await kafka?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const urlOf = (login: string) =>
    `${kafka.url.replace('kafka://', `kafka+ssl://${login}@`)}?ca=${encodeURIComponent(join(folder, 'cert.pem'))}`
  const open = (login = 'shop:p%40ss%3Aword') => openKafka({ url: urlOf(login), clientId: 'test' })
  const start = async (engine: Broker | undefined) => {
    const broker = engine && { engine, declaration: DECLARATION }
    const consumer = onBatch(Tick, async (deliveries) => {
      for (const delivery of deliveries) seen.push(delivery.event.payload.serial)
    })
    const groups = [{ name: 'access', consumers: [consumer] }]
    const runtime = await startEvents({ cluster: postgres.cluster, broker, groups, owner: 'test', sequence: true })
    running = { runtime, engine }
  }
  const stop = async () => {
    await running?.runtime.stop({ deadlineAtMs: Date.now() + 10_000 })
    await running?.engine?.close()
    running = undefined
  }
  const write = (from: number, to: number) =>
    postgres.cluster.home.transaction(async (tx) => {
      for (let serial = from; serial < to; serial++) emit(tx, Tick, { serial }, newContext())
    })
  const settled = async (count: number) => {
    await until(() => seen.length >= count, { timeoutMs: 60_000, what: `${count} events` })
    assert.deepEqual(
      seen,
      Array.from({ length: count }, (_, serial) => serial),
    )
  }

  test('a log that groups have read themselves is taken to Kafka without repeating anything, and not back', async () => {
    await start(undefined)
    await write(0, 20)
    await settled(20)
    await stop()
    await start(await open())
    await write(20, 40)
    await settled(40)
    await stop()
    await assert.rejects(start(undefined), { code: 'EVENTS_BROKER_NEEDED' })
  })

  test('a record that no forwarder wrote is told of and passed over', async () => {
    const told: unknown[] = []
    const end = workFailed.subscribe(({ error }) => told.push(error instanceof GroundswellError ? error.code : error))
    await start(await open())
    const { label: _, ...address } = parseKafkaUrl(urlOf('shop:p%40ss%3Aword'))
    const producer = new Producer({ ...address, clientId: 'stranger', serializers: stringSerializers })
    const messages = [0, 1].map((partition) => ({ topic: Tick.name, partition, key: '1', value: 'not ours' }))
    await producer.send({ messages, acks: -1 })
    await producer.close()
    await until(() => told.includes('EVENTS_RECORD_UNREADABLE'), { what: 'it is told' })
    end()
    await write(40, 50)
    await settled(50)
  })

  test('a topic with another number of partitions is refused', async () => {
    const engine = await open()
    const topics = [{ name: Tick.name, partitions: 3, retentionMs: 3_600_000 }]
    await assert.rejects(engine.declare({ topics, groups: [] }), {
      code: 'EVENTS_BROKER_MISMATCH',
      message: /access\.tick .* has 2 partitions, and 3 are declared/,
    })
    await engine.close()
  })

  test('a wrong password is an error that says so and does not show it', async () => {
    const engine = await open('shop:wrong-one')
    await assert.rejects(engine.ping(), (error: GroundswellError) => {
      assert.equal(error.code, 'EVENTS_BROKER_UNAVAILABLE')
      assert.match(error.message, /[Aa]uthentication failed/)
      assert.doesNotMatch(error.message, /wrong-one/)
      return true
    })
    await engine.close()
  })

  test('a Kafka that is away at the start keeps nothing from starting, and its events arrive when it is back', async () => {
    await kafka.kill()
    await start(await open())
    await write(50, 60)
    assert.equal(seen.length, 50)
    await kafka.restart()
    await settled(60)
  })
})

test('a connection that was refused and is then cut has a second error, which ends no process', async () => {
  const engine = await openKafka({ url: 'kafka://127.0.0.1:1', clientId: 'test' })
  const connection = new Connection('test')
  for (const reason of ['refused', 'cut']) connection.emit('error', new Error(reason))
  await engine.close()
})

test('an address of Kafka is read with its hosts, login and options, or refused with what is wrong', () => {
  assert.deepEqual(parseKafkaUrl('kafka://a,b:9093'), {
    label: 'Kafka at a:9092,b:9093',
    bootstrapBrokers: ['a:9092', 'b:9093'],
  })
  const full = parseKafkaUrl('kafka+ssl://me:s%2Fe%3Ac%40ret@[::1]:9094?mechanism=scram-sha-512')
  assert.deepEqual(full.sasl, { mechanism: 'SCRAM-SHA-512', username: 'me', password: 's/e:c@ret' })
  assert.deepEqual(full.tls, {})
  assert.equal(full.label, 'Kafka at [::1]:9094')
  for (const [url, why] of [
    ['kafka://', /must be kafka:\/\/host:9092/],
    ['kafka://a:port', /must be kafka/],
    ['kafka://user@a', /without a password/],
    ['kafka://u:p@a?mechanism=md5', /"md5" is none of plain/],
    ['kafka://a?tls', /\?tls is no option/],
    ['kafka://a?ca=/does/not/exist', /cannot be read/],
  ] as const) {
    assert.throws(() => parseKafkaUrl(url), { code: 'EVENTS_BROKER_URL_INVALID', message: why }, url)
  }
})

/** A certificate of 127.0.0.1 and its key, apart and in one file, as Kafka wants its own. */
async function makeCertificate(folder: string): Promise<void> {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const names = ['-subj', '/CN=groundswell', '-addext', 'subjectAltName=IP:127.0.0.1']
  await promisify(execFile)('openssl', [...request, '-keyout', key, '-out', cert, '-days', '2', ...names])
  await writeFile(join(folder, 'both.pem'), `${await readFile(key, 'utf8')}${await readFile(cert, 'utf8')}`)
}
