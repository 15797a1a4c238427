import { type App, STOP_GRACE_MS } from '../../core/index.ts'
import { dockerfile, dockerignore } from '../image.ts'
import { HEAP_PERCENT } from '../limits.ts'
import type { RenderOptions } from '../options.ts'
import { type RenderedFile, sealed, yamlFile } from '../rendered-file.ts'
import { connectionsOf } from '../sizing.ts'
import { type Workload, workloadsOf } from '../workload.ts'
import { databaseUrls, eventsUrl, kafka, postgres, prometheus, rabbitmq, redis, variable } from './engines.ts'
import { readme } from './readme.ts'

/** Seconds between the end of our own drain and the kill. */
const KILL_MARGIN_SECONDS = 5

const BROKERS = {
  postgres: () => ({}),
  kafka: () => ({ kafka: kafka() }),
  rabbitmq: () => ({ rabbitmq: rabbitmq() }),
} as const

/** The whole fleet on one machine: a container for each process, the engines, and Prometheus that scrapes them all. */
export function renderCompose(app: App, options: RenderOptions): readonly RenderedFile[] {
  const workloads = workloadsOf(app, options)
  const value = {
    name: app.name,
    services: {
      ...Object.fromEntries(workloads.map((workload) => [workload.name, serviceOf(workload, options)])),
      postgres: postgres(workloads, options.shards),
      redis: { ...redis(), ...(options.variables.has('CACHE_URL') ? {} : { profiles: ['redis'] }) },
      ...BROKERS[options.events](),
      prometheus: prometheus(),
    },
    volumes: { postgres: {}, ...(options.events === 'postgres' ? {} : { [options.events]: {} }), prometheus: {} },
  }
  return [
    dockerfile(options.build),
    dockerignore(),
    readme(app, options),
    yamlFile('compose.yaml', [value], notesOn(options)),
    yamlFile('prometheus.yml', [scrapeConfig(app, workloads)]),
    createDatabases(options.shards),
  ]
}

function serviceOf(workload: Workload, options: RenderOptions) {
  const { scale } = workload
  const isConsole = workload.component === 'console'
  const isGateway = workload.component === 'gateway'
  return {
    image: options.image,
    // Of those that share an image one builds it.
    ...(isGateway ? { build: { context: options.build.context, dockerfile: options.build.dockerfile } } : {}),
    command: ['start', options.appPath, '--only', workload.name],
    restart: 'unless-stopped',
    environment: environment(workload, options),
    depends_on: dependencies(options),
    ...(isConsole ? { network_mode: 'host' } : {}),
    ...(isGateway ? { ports: ['127.0.0.1:8000:8000', '127.0.0.1:8001:8001'] } : {}),
    healthcheck: {
      test: [
        'CMD',
        'node',
        '-e',
        `fetch('http://127.0.0.1:${portOf(workload)}/readyz').then((r) => process.exit(r.ok ? 0 : 1))`,
      ],
      interval: '10s',
      timeout: '3s',
      retries: 3,
      start_period: '60s',
    },
    stop_grace_period: `${STOP_GRACE_MS / 1_000 + KILL_MARGIN_SECONDS}s`,
    read_only: true,
    tmpfs: ['/tmp'],
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    deploy: {
      resources: {
        limits: { cpus: String(scale.cpuMillis.limit / 1_000), memory: `${scale.memoryMib.limit}M` },
        reservations: { cpus: String(scale.cpuMillis.request / 1_000), memory: `${scale.memoryMib.request}M` },
      },
    },
  }
}

/** The console is on the network of the machine itself, where 8080 may be anybody's. */
function portOf({ component }: Workload): number {
  return component === 'console' ? 8079 : 8080
}

function environment(workload: Workload, { shards, events, partitions, variables }: RenderOptions) {
  const isConsole = workload.component === 'console'
  const [database, cache] = isConsole ? ['127.0.0.1', '127.0.0.1'] : ['postgres', 'redis']
  return {
    ...(isConsole ? { PORT: String(portOf(workload)) } : { HOST: '0.0.0.0' }),
    ...(workload.component === 'gateway'
      ? { ADMIN_HOST: '0.0.0.0', ADMIN_TOKEN: variable('ADMIN_TOKEN', ':?README.md says how to make one') }
      : {}),
    DATABASE_URLS: databaseUrls(database, shards),
    ...(variables.has('CACHE_URL') ? { CACHE_URL: `redis://${cache}:6379` } : {}),
    ...(events === 'postgres'
      ? {}
      : { EVENTS_URL: eventsUrl(events, isConsole), EVENTS_PARTITIONS: String(partitions) }),
    CONNECTIONS_MAX: String(connectionsOf(shards)),
    NODE_OPTIONS: `--max-old-space-size=${Math.floor((workload.scale.memoryMib.limit * HEAP_PERCENT) / 100)}`,
  }
}

function dependencies({ events, variables }: RenderOptions) {
  const healthy = { condition: 'service_healthy' }
  return {
    postgres: healthy,
    ...(variables.has('CACHE_URL') ? { redis: healthy } : {}),
    ...(events === 'postgres' ? {} : { [events]: healthy }),
  }
}

function scrapeConfig(app: App, workloads: readonly Workload[]) {
  const targets = workloads.filter(({ component }) => component !== 'console').map(({ name }) => `${name}:8080`)
  return {
    global: { scrape_interval: '5s', scrape_timeout: '4s' },
    scrape_configs: [{ job_name: app.name, static_configs: [{ targets }] }],
  }
}

/** Runs once, when PostgreSQL makes its folder. */
function createDatabases(shards: number): RenderedFile {
  const statements = Array.from({ length: shards }, (_, shard) => `CREATE DATABASE shard_${shard};\n`)
  return sealed('create-databases.sql', statements.join(''))
}

function notesOn({ variables }: RenderOptions): string {
  const unused = [
    ...(variables.has('CACHE_URL') ? [] : ['Redis (profile redis): this version has no setting for it yet.']),
  ]
  return [
    'Every port is open on this machine only. The console listens on loopback and has no authentication, so that a published',
    'port would not reach it: it shares the network of the machine instead, which Docker Desktop must have enabled.',
    ...(unused.length === 0
      ? []
      : ['Declared, but nothing uses it, and it starts only when its profile is named:', ...unused]),
  ].join('\n')
}
