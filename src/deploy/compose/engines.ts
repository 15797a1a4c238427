import { connectionsOf } from '../sizing.ts'
import type { Workload } from '../workload.ts'

/** Images of the engines, each by an exact version; `docker compose` reads the variables to pin a digest instead. */
const IMAGES = {
  postgres: 'postgres:18.1',
  redis: 'redis:8.2.3',
  kafka: 'apache/kafka:4.1.0',
  rabbitmq: 'rabbitmq:4.1.4',
  prometheus: 'prom/prometheus:v3.5.0',
}

export type EngineName = keyof typeof IMAGES

/** Connections that PostgreSQL keeps beyond those of the fleet, for people and for its own. */
const SPARE_CONNECTIONS = 20

type Health = { readonly test: readonly string[] }

/** What Compose runs beside the application. Ports are open on this machine only. */
export function engine(name: EngineName, definition: Readonly<Record<string, unknown>>, health: Health) {
  return {
    image: variable(`${name.toUpperCase()}_IMAGE`, `:-${IMAGES[name]}`),
    restart: 'unless-stopped',
    ...definition,
    healthcheck: { ...health, interval: '5s', timeout: '3s', retries: 12, start_period: '30s' },
  }
}

export function postgres(workloads: readonly Workload[], shards: number) {
  const connections = workloads.length * connectionsOf(shards) + SPARE_CONNECTIONS
  return engine(
    'postgres',
    {
      command: ['postgres', '-c', `max_connections=${connections}`],
      environment: {
        POSTGRES_USER: 'groundswell',
        POSTGRES_PASSWORD: variable('POSTGRES_PASSWORD', ':?README.md says how to make one'),
      },
      // Docker's 64 MB are too few for queries that PostgreSQL runs in parallel.
      shm_size: '256mb',
      ports: ['127.0.0.1:5432:5432'],
      volumes: [
        'postgres:/var/lib/postgresql',
        './create-databases.sql:/docker-entrypoint-initdb.d/create-databases.sql:ro',
      ],
    },
    { test: ['CMD-SHELL', `pg_isready --host 127.0.0.1 --username groundswell --dbname shard_${shards - 1}`] },
  )
}

export function redis() {
  return engine(
    'redis',
    {
      // A cache: what is lost is read again, and when it is full the least used goes.
      command: [
        'redis-server',
        '--save',
        '',
        '--appendonly',
        'no',
        '--maxmemory',
        '256mb',
        '--maxmemory-policy',
        'allkeys-lru',
      ],
      ports: ['127.0.0.1:6379:6379'],
    },
    { test: ['CMD', 'redis-cli', 'ping'] },
  )
}

/** One node that is broker and controller at once. */
export function kafka() {
  return engine(
    'kafka',
    {
      environment: {
        KAFKA_NODE_ID: '1',
        KAFKA_PROCESS_ROLES: 'broker,controller',
        // Each names its own address to clients: containers find `kafka`, the console is on the machine's network.
        KAFKA_LISTENERS: 'PLAINTEXT://:9092,HOST://:9094,CONTROLLER://:9093',
        KAFKA_ADVERTISED_LISTENERS: 'PLAINTEXT://kafka:9092,HOST://127.0.0.1:9094',
        KAFKA_INTER_BROKER_LISTENER_NAME: 'PLAINTEXT',
        KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
        KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,HOST:PLAINTEXT,CONTROLLER:PLAINTEXT',
        KAFKA_CONTROLLER_QUORUM_VOTERS: '1@kafka:9093',
        KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
        KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
        KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
        KAFKA_LOG_DIRS: '/var/lib/kafka/data',
      },
      ports: ['127.0.0.1:9094:9094'],
      volumes: ['kafka:/var/lib/kafka/data'],
    },
    {
      test: ['CMD-SHELL', '/opt/kafka/bin/kafka-broker-api-versions.sh --bootstrap-server localhost:9092 > /dev/null'],
    },
  )
}

export function rabbitmq() {
  return engine(
    'rabbitmq',
    {
      // Its node is named after the host, and its data after the node.
      hostname: 'rabbitmq',
      environment: {
        RABBITMQ_DEFAULT_USER: 'groundswell',
        RABBITMQ_DEFAULT_PASS: variable('RABBITMQ_PASSWORD', ':?README.md says how to make one'),
      },
      ports: ['127.0.0.1:5672:5672'],
      volumes: ['rabbitmq:/var/lib/rabbitmq'],
    },
    { test: ['CMD', 'rabbitmq-diagnostics', '--quiet', 'check_port_connectivity'] },
  )
}

/** `EVENTS_URL` as a process sees the broker: in the project's network, or from the machine's own. */
export function eventsUrl(events: 'kafka' | 'rabbitmq', isOutside: boolean): string {
  if (events === 'kafka') return isOutside ? 'kafka://127.0.0.1:9094' : 'kafka://kafka:9092'
  return `amqp://groundswell:${variable('RABBITMQ_PASSWORD')}@${isOutside ? '127.0.0.1' : 'rabbitmq'}:5672`
}

export function prometheus() {
  return engine(
    'prometheus',
    {
      ports: ['127.0.0.1:9090:9090'],
      volumes: ['./prometheus.yml:/etc/prometheus/prometheus.yml:ro', 'prometheus:/prometheus'],
    },
    { test: ['CMD', 'wget', '-q', '-O', '/dev/null', 'http://localhost:9090/-/healthy'] },
  )
}

/** What Compose replaces: `${NAME:-default}`, or `${NAME:?why it is needed}`. */
export function variable(name: string, otherwise = ''): string {
  return `$\{${name}${otherwise}}`
}

/** `DATABASE_URLS` as a process at `host` sees the databases. */
export function databaseUrls(host: string, shards: number): string {
  const url = (shard: number) => `postgres://groundswell:${variable('POSTGRES_PASSWORD')}@${host}:5432/shard_${shard}`
  return Array.from({ length: shards }, (_, shard) => url(shard)).join(',')
}
