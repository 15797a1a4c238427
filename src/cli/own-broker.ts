import { join } from 'node:path'
import { readOptions, runtimeError } from '../runtime/index.ts'
import { kafkaMissing, rabbitMqMissing, startKafkaServer, startRabbitMqServer } from '../testing/index.ts'
import { cliError } from './errors.ts'

/** A real broker beside the application, for development: what EVENTS_URL names in production. */
export const BROKERS = ['kafka', 'rabbitmq'] as const
export type BrokerName = (typeof BROKERS)[number]

export type OwnBroker = {
  readonly url: string
  /** Rejects when it ends by itself. */
  readonly failed: Promise<never>
  stop(): Promise<void>
}

export type OwnBrokerOptions = {
  readonly env: NodeJS.ProcessEnv
  readonly log: (line: string) => void
  readonly signal: AbortSignal
}

/**
 * Starts it on free ports of loopback, with its data in the data folder: what the databases say was forwarded is there
 * again after a restart. Throws CLI_BROKER_MISSING with how to get it, and the signal's reason when interrupted.
 */
export async function startOwnBroker(name: BrokerName, { env, log, signal }: OwnBrokerOptions): Promise<OwnBroker> {
  const { dataDir, eventsBroker } = readOptions(env)
  if (eventsBroker.url !== undefined) {
    throw runtimeError('RUNTIME_OPTIONS_INVALID', `EVENTS_URL is set, so there is no ${name} to start: leave out one`)
  }
  const missing = await MISSING[name]()
  if (missing !== false) throw cliError('CLI_BROKER_MISSING', missing)
  signal.throwIfAborted()
  const folder = join(dataDir, name)
  log(`starting ${name} on ${folder}`)
  const broker = await START[name]({ folder })
  if (!signal.aborted) return broker
  await broker.stop()
  throw signal.reason
}

const MISSING: Readonly<Record<BrokerName, () => Promise<string | false>>> = {
  kafka: kafkaMissing,
  rabbitmq: async () => rabbitMqMissing(),
}

const START: Readonly<Record<BrokerName, (options: { folder: string }) => Promise<OwnBroker>>> = {
  kafka: startKafkaServer,
  rabbitmq: startRabbitMqServer,
}
