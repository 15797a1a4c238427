import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'
import { findKafka, type KafkaInstallation } from './kafka-jars.ts'
import { type ServerProcess, startServerProcess, whenReady } from './server-process.ts'

/** A real Apache Kafka of one node, on free ports of loopback, in a folder of its own. */
export type KafkaServer = ServerProcess & {
  /** For EVENTS_URL. */
  readonly url: string
  /** Ends it for good; a folder of its own is removed. */
  stop(): Promise<void>
}

export type KafkaServerOptions = {
  /** Of the broker, over those that make it small; names are Kafka's. */
  readonly settings?: Readonly<Record<string, string>>
  /** What clients speak: PLAINTEXT, SASL_PLAINTEXT, SSL or SASL_SSL. */
  readonly protocol?: string
  /** Where it keeps its data and finds them again. A temporary one when absent, which `stop` removes. */
  readonly folder?: string
  /** Users and passwords of SCRAM-SHA-256, which the cluster keeps from its making on. */
  readonly scram?: Readonly<Record<string, string>>
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
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'groundswell-kafka-')))
  await mkdir(folder, { recursive: true })
  const port = await freePort()
  const files = { properties: join(folder, 'server.properties'), log: join(folder, 'server.log') }
  await writeFile(files.properties, propertiesOf(folder, port, await freePort(), options))
  if (!existsSync(join(folder, 'data', 'meta.properties'))) await format(kafka, files.properties, options.scram)
  const server = await startServerProcess(() => spawnServer(kafka, files), `Kafka, whose log is ${files.log},`)
  return {
    ...server,
    url: `kafka://127.0.0.1:${port}`,
    async stop() {
      if (options.folder !== undefined) return server.endInOrder()
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
    'log.dirs': resolve(folder, 'data'),
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

/** Makes the folder one of a new cluster. */
async function format(kafka: Installed, properties: string, scram: KafkaServerOptions['scram'] = {}): Promise<void> {
  const tool = ['-cp', kafka.classpath, '-XX:TieredStopAtLevel=1', 'kafka.tools.StorageTool']
  const id = Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64url')
  const alone = ['--standalone']
  const users = Object.entries(scram).flatMap(([name, password]) => {
    return ['--add-scram', `SCRAM-SHA-256=[name=${name},password=${password}]`]
  })
  await run(kafka.java, [...tool, 'format', `--cluster-id=${id}`, '--config', properties, ...alone, ...users], {
    timeout: START_MS_MAX,
  })
}

type Installed = Extract<KafkaInstallation, { readonly java: string }>
type Files = { readonly properties: string; readonly log: string }

async function spawnServer({ java, classpath }: Installed, { properties, log }: Files): Promise<ChildProcess> {
  const output = await open(log, 'w')
  const jvm = ['-Xmx512m', '-XX:+UseSerialGC', '-Dlog4j2.level=INFO', '-cp', classpath]
  const child = spawn(java, [...jvm, 'kafka.Kafka', properties], {
    stdio: ['ignore', output.fd, output.fd],
    // What a terminal sends on Ctrl-C is for whoever started it, who stops it last.
    detached: true,
  })
  await output.close()
  const isReady = async () => (await readFile(log, 'utf8')).includes('Kafka Server started')
  return whenReady(child, isReady, { name: `Kafka, whose log is ${log},`, timeoutMs: START_MS_MAX })
}
