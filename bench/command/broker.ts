import { startKafkaServer, startRabbitMqServer } from '../../src/testing/index.ts'

/** What delivers events: the log in PostgreSQL, or a real broker of the bench's own. */
export const EVENT_ENGINES = ['postgres', 'kafka', 'rabbitmq'] as const
export type EventEngine = (typeof EVENT_ENGINES)[number]

/** `url`: for EVENTS_URL; undefined for the log in PostgreSQL, which needs nothing. */
export type EventsServer = { readonly url?: string; stop(): Promise<void> }

/** Starts what events need besides PostgreSQL. Throws what says how to get a broker that is not installed. */
export function startEventsServer(engine: EventEngine): Promise<EventsServer> {
  return START[engine]()
}

const START: Readonly<Record<EventEngine, () => Promise<EventsServer>>> = {
  postgres: async () => ({ stop: async () => {} }),
  kafka: startKafkaServer,
  rabbitmq: startRabbitMqServer,
}
