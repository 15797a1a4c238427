import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { z } from 'zod'
import { RETENTION_MS, RETENTION_MS_MAX, RETENTION_MS_MIN } from '../events/index.ts'
import { TRACES_PER_SECOND } from '../telemetry/index.ts'
import { runtimeError } from './errors.ts'
import { STOP_DELAY_MS_MAX } from './limits.ts'
import { LOG_LEVELS, type LogLevel } from './log.ts'

/**
 * Configuration from the environment, declared once: schema, default and documentation in one place. The runtime is the
 * only reader of the environment in Groundswell. `<SERVICE_NAME>_URL` (ORDER_SERVICE_URL=http://…) says where a service
 * runs that is not in this process.
 */
const port = (fallback: number) => z.coerce.number().int().min(0).max(65_535).default(fallback)

const Environment = z.object({
  GATEWAY_PORT: port(8000).describe('Port of the gateway. 0 picks a free one.'),
  GATEWAY_HOST: z.string().min(1).default('0.0.0.0').describe('Address the gateway listens on.'),
  GATEWAY_TLS_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe('Port of the gateway for HTTPS and HTTP/2, Kong’s is 8443. 0 picks a free one; none when not set.'),
  TRUSTED_IPS: z
    .string()
    .optional()
    .transform((text) => text?.split(/[\s,]+/).filter((entry) => entry !== '') ?? [])
    .pipe(z.array(z.string().refine(isAddressOrBlock, 'must be an IP address or a CIDR block, such as 10.0.0.0/8')))
    .describe(
      'Addresses and CIDR blocks of proxies in front of the gateway, whose X-Forwarded-* and X-Real-IP are believed.',
    ),
  ADMIN_PORT: port(8001).describe('Port of the gateway’s Admin API.'),
  ADMIN_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address of the Admin API; other than loopback needs ADMIN_TOKEN.'),
  ADMIN_TOKEN: z.string().min(16).optional().describe('Token that the Admin API then demands, at least 16 characters.'),
  ADMIN_URL: z
    .url({ protocol: /^https?$/, hostname: /.*/ })
    .optional()
    .describe('Admin API of the gateway that the console shows, when it runs in another process.'),
  GATEWAY_CONFIG: z
    .string()
    .min(1)
    .optional()
    .describe('Kong declarative file that is the gateway’s whole configuration, instead of the database.'),
  GATEWAY_LOG_DIR: z
    .string()
    .min(1)
    .optional()
    .describe('Folder below which the plugin file-log may write; it is refused without one.'),
  CONSOLE_PORT: port(8002).describe('Port of the console.'),
  CONSOLE_HOST: z
    .enum(['127.0.0.1', '::1', 'localhost'])
    .default('127.0.0.1')
    .describe('Address of the console: loopback only, for as long as the console has no authentication.'),
  PORT: port(8080).describe(
    'Port of a process of a fleet (--only): /livez and /readyz, and the routes of the services that run in it.',
  ),
  HOST: z.string().min(1).default('127.0.0.1').describe('Address of that port; 0.0.0.0 in a container.'),
  STOP_DELAY_MS: z.coerce
    .number()
    .int()
    .min(0)
    .max(STOP_DELAY_MS_MAX)
    .default(0)
    .describe(
      'Time between a signal to stop, when /readyz begins to say so, and the stop itself: for load balancers that poll it.',
    ),
  DATA_DIR: z.string().min(1).default('.groundswell').describe('Folder of the embedded PostgreSQL.'),
  SHARDS: z.coerce.number().int().min(1).max(64).default(4).describe('Shards of the embedded PostgreSQL.'),
  POSTGRES_PORT: port(0).describe(
    'Port of the embedded PostgreSQL. 0 picks a free one and keeps it while it stays free.',
  ),
  DATABASE_URLS: z
    .string()
    .optional()
    .transform((text) => text?.split(/[\s,]+/).filter((url) => url !== ''))
    .pipe(
      z
        .array(z.url({ protocol: /^postgres(ql)?$/, hostname: /.*/ }))
        .min(1)
        .max(64)
        .optional(),
    )
    .describe('PostgreSQL servers of yours instead of the embedded one: one URL per shard, separated by commas.'),
  CACHE_URL: z
    .string()
    .refine((url) => !url.startsWith('memcached:'), 'memcached:// is not there yet, use redis://')
    .refine(
      (url) => /^(rediss?|memcached):$/.test(URL.parse(url)?.protocol ?? ''),
      'must be a redis:// or rediss:// URL',
    )
    .optional()
    .describe(
      'Redis as the level of the cache that processes share: redis://host:6379/0. Each has only its own without.',
    ),
  EVENTS_ATTEMPTS_MAX: z.coerce
    .number()
    .int()
    .min(1)
    .max(100)
    .optional()
    .describe(
      'Attempts of an event that keeps failing before it is a dead letter; 15, about four minutes, when not set.',
    ),
  EVENTS_RETENTION_MS: z.coerce
    .number()
    .int()
    .min(RETENTION_MS_MIN)
    .max(RETENTION_MS_MAX)
    .default(RETENTION_MS)
    .describe(
      'Least time that the event log keeps events; it drops them in pieces of a seventh of it, a minute or more.',
    ),
  LOG_LEVEL: z.enum(LOG_LEVELS).default('info').describe('The least that is logged on stderr; `silent` logs nothing.'),
  ACCESS_LOG: z.enum(['off', 'on']).default('off').describe('Whether the gateway logs a line for each request.'),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/, hostname: /.*/ })
    .optional()
    .describe('Collector that spans are sent to by OTLP/HTTP, such as `http://127.0.0.1:4318`.'),
  TRACES_PER_SECOND: z.coerce
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(TRACES_PER_SECOND)
    .describe('New traces that each process with a gateway keeps in a second, whatever clients wish; 0 keeps none.'),
  TELEMETRY: z
    .enum(['off', 'metrics', 'traces'])
    .default('traces')
    .describe('What is measured: nothing, metrics, or traces as well. Without, the console has nothing to show.'),
  CONNECTIONS_MAX: z.coerce
    .number()
    .int()
    .min(4)
    .max(10_000)
    .default(48)
    .describe('Database connections of this process.'),
})

export type RuntimeOptions = {
  readonly gateway: { readonly host: string; readonly port: number }
  /** Of the gateway, for HTTPS; undefined for none. */
  readonly gatewayTlsPort: number | undefined
  /** Whose X-Forwarded-* the gateway believes. */
  readonly trustedIps: readonly string[]
  readonly admin: { readonly host: string; readonly port: number; readonly token: string | undefined }
  /** The Admin API that the console reaches when no gateway runs in its process. */
  readonly adminUrl: string | undefined
  /** Path of a Kong declarative file; undefined keeps the configuration in the database. */
  readonly gatewayConfig: string | undefined
  /** Folder below which the plugin file-log may write; undefined forbids it. */
  readonly gatewayLogDir: string | undefined
  readonly console: { readonly host: string; readonly port: number }
  readonly services: { readonly host: string; readonly port: number }
  readonly dataDir: string
  readonly shards: number
  readonly postgresPort: number
  readonly databaseUrls: readonly string[] | undefined
  /** The level of the cache that processes share; undefined when there is none. */
  readonly cacheUrl: string | undefined
  /** Undefined leaves it to events. */
  readonly eventsAttemptsMax: number | undefined
  readonly eventsRetentionMs: number
  readonly logLevel: LogLevel
  readonly accessLog: boolean
  readonly otlpEndpoint: string | undefined
  readonly tracesPerSecond: number
  readonly connectionsMax: number
  readonly telemetry: 'off' | 'metrics' | 'traces'
  readonly stopDelayMs: number
  /** Where a service runs that is not in this process: `<NAME>_URL`, else its name as host name on port 8080. */
  readonly originOf: (service: string) => string
}

/** Reads and checks the environment. Throws RUNTIME_OPTIONS_INVALID with every problem at once. */
export function readOptions(env: NodeJS.ProcessEnv): RuntimeOptions {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = Environment.safeParse(given)
  const problems = parsed.success ? [] : parsed.error.issues.map((issue) => describeIssue(issue, given))
  problems.push(...urlProblems(given))
  if (!parsed.success || problems.length > 0) {
    throw runtimeError(
      'RUNTIME_OPTIONS_INVALID',
      `the environment has ${problems.length} problem(s): ${problems.join('; ')}`,
    )
  }
  const value = parsed.data
  return {
    gateway: { host: value.GATEWAY_HOST, port: value.GATEWAY_PORT },
    gatewayTlsPort: value.GATEWAY_TLS_PORT,
    trustedIps: value.TRUSTED_IPS,
    admin: { host: value.ADMIN_HOST, port: value.ADMIN_PORT, token: value.ADMIN_TOKEN },
    adminUrl: value.ADMIN_URL,
    gatewayConfig: value.GATEWAY_CONFIG === undefined ? undefined : resolve(value.GATEWAY_CONFIG),
    gatewayLogDir: value.GATEWAY_LOG_DIR === undefined ? undefined : resolve(value.GATEWAY_LOG_DIR),
    console: { host: value.CONSOLE_HOST, port: value.CONSOLE_PORT },
    services: { host: value.HOST, port: value.PORT },
    dataDir: resolve(value.DATA_DIR),
    shards: value.SHARDS,
    postgresPort: value.POSTGRES_PORT,
    databaseUrls: value.DATABASE_URLS,
    cacheUrl: value.CACHE_URL,
    eventsAttemptsMax: value.EVENTS_ATTEMPTS_MAX,
    eventsRetentionMs: value.EVENTS_RETENTION_MS,
    logLevel: value.LOG_LEVEL,
    accessLog: value.ACCESS_LOG === 'on',
    otlpEndpoint: value.OTEL_EXPORTER_OTLP_ENDPOINT,
    tracesPerSecond: value.TRACES_PER_SECOND,
    connectionsMax: value.CONNECTIONS_MAX,
    telemetry: value.TELEMETRY,
    stopDelayMs: value.STOP_DELAY_MS,
    originOf: (service) => given[originVariable(service)] ?? `http://${service}:8080`,
  }
}

function isAddressOrBlock(entry: string): boolean {
  const [address = '', bits, ...rest] = entry.split('/')
  const family = isIP(address)
  const isBlock = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
  return family !== 0 && isBlock && rest.length === 0
}

/** The variable that says where a service runs: `order-service` → `ORDER_SERVICE_URL`. */
export function originVariable(service: string): string {
  return `${service.replaceAll('-', '_').toUpperCase()}_URL`
}

/** Every variable with its default and meaning, for the documentation. */
export function describeOptions(): readonly { name: string; defaultValue: string; text: string }[] {
  const defaults = Environment.parse({})
  return Object.entries(Environment.shape).map(([name, schema]) => ({
    name,
    defaultValue: String(defaults[name as keyof typeof defaults] ?? ''),
    text: schema.description ?? '',
  }))
}

function describeIssue(issue: z.core.$ZodIssue, given: Record<string, string | undefined>): string {
  const name = String(issue.path[0])
  const shown = /URL|TOKEN|ENDPOINT/.test(name) ? '' : ` is "${given[name]}"`
  const where = issue.path.length > 1 ? ` (entry ${Number(issue.path[1]) + 1})` : ''
  return `${name}${where}${shown}: ${issue.message}`
}

function urlProblems(given: Record<string, string | undefined>): string[] {
  return Object.entries(given)
    .filter(([name]) => name.endsWith('_SERVICE_URL'))
    .filter(([, value]) => !/^https?:$/.test(URL.parse(value ?? '')?.protocol ?? ''))
    .map(([name]) => `${name}: must be an http:// or https:// URL`)
}
