import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'
import { findKafka, type KafkaInstallation } from './kafka-jars.ts'
import { type ServerProcess, startServerProcess, whenReady } from './server-process.ts'

/** A real Apache Kafka of one node, on free ports of loopback, in a folder of its own. */
export type KafkaServer = ServerProcess & {
  /** For EVENTS_URL. */
  readonly url: string
  /** Rejects when it ends by itself. */
  readonly failed: Promise<never>
  /** Ends it for good and removes its folder. */
  stop(): Promise<void>
}

export type KafkaServerOptions = {
  /** Of the broker, over those that make it small; names are Kafka's. */
  readonly settings?: Readonly<Record<string, string>>
  /** What clients speak: PLAINTEXT, SASL_PLAINTEXT, SSL or SASL_SSL. */
  readonly protocol?: string
}

/** Two JVM starts on a busy machine of two cores. */
const START_MS_MAX = 90_000

const run = promisify(execFile)

/** Why a test that needs Kafka cannot run here, for its `skip`; false when it can. Fetches Kafka the first time. */
export async function kafkaMissing(): Promise<string | false> {
  return (await findKafka()).missing ?? false
}

export async function startKafkaServer(options: KafkaServerOptions = {}): Promise<KafkaServer> {
  const kafka = await findKafka()
  if (kafka.missing !== undefined) throw new Error(kafka.missing)
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-kafka-'))
  const port = await freePort()
  const files = { properties: join(folder, 'server.properties'), log: join(folder, 'server.log') }
  await writeFile(files.properties, propertiesOf(folder, port, await freePort(), options))
  await format(kafka, files.properties)
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => undefined)
  const start = async () => {
    const started = await spawnServer(kafka, files)
    started.once('exit', (code) => {
      if (code !== null) failure.reject(new Error(`Kafka ended with ${code}; its log is ${files.log}`))
    })
    return started
  }
  const server = await startServerProcess(start)
  return {
    ...server,
    url: `kafka://127.0.0.1:${port}`,
    failed: failure.promise,
    async stop() {
      await server.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function propertiesOf(folder: string, port: number, controllerPort: number, options: KafkaServerOptions): string {
  const { protocol = 'PLAINTEXT', settings = {} } = options
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}`,
    listeners: `CLIENT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `CLIENT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'CLIENT',
    'listener.security.protocol.map': `CLIENT:${protocol},CONTROLLER:PLAINTEXT`,
    'log.dirs': join(folder, 'data'),
    'auto.create.topics.enable': 'false',
    // What a cluster keeps three times, one node keeps once; fewer partitions of it start faster.
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '2',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    // A broker that was killed may come back sooner.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'num.network.threads': '2',
    'num.io.threads': '4',
    ...settings,
  }
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

/** Makes the folder one of a new cluster, unless it is one already. */
async function format(kafka: Installed, properties: string): Promise<void> {
  const tool = ['-cp', kafka.classpath, '-XX:TieredStopAtLevel=1', 'kafka.tools.StorageTool']
  const id = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64url')
  const once = ['--standalone', '--ignore-formatted']
  await run(kafka.java, [...tool, 'format', `--cluster-id=${id}`, '--config', properties, ...once], {
    timeout: START_MS_MAX,
  })
}

type Installed = Extract<KafkaInstallation, { readonly java: string }>
type Files = { readonly properties: string; readonly log: string }

async function spawnServer({ java, classpath }: Installed, { properties, log }: Files): Promise<ChildProcess> {
  const output = await open(log, 'w')
  const jvm = ['-Xmx512m', '-XX:+UseSerialGC', '-Dlog4j2.level=INFO', '-cp', classpath]
  const child = spawn(java, [...jvm, 'kafka.Kafka', properties], { stdio: ['ignore', output.fd, output.fd] })
  await output.close()
  const isReady = async () => (await readFile(log, 'utf8')).includes('Kafka Server started')
  return whenReady(child, isReady, { name: `Kafka, whose log is ${log},`, timeoutMs: START_MS_MAX })
}
