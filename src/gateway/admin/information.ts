import { answerProbe, type Health, type TextPage } from '../../core/index.ts'
import { ApiError } from '../config/api-error.ts'
import { type Catalog, fieldsOf, nestedSegmentOf, segmentOf } from '../config/catalog.ts'
import type { ConfigStore } from '../config/entities.ts'
import type { EntitySchema } from '../config/schema.ts'
import type { DeclarativeStore } from '../declarative/declarative-store.ts'
import { type Answer, type Call, type Endpoint, ok } from './answer.ts'
import { configEndpoint } from './config-endpoint.ts'
import type { Resources } from './resources.ts'

/** What the Admin API says about the node that answers. */
export type AdminInfo = {
  /** Version of Kong whose contract is spoken; deck reads it. */
  readonly version: string
  /** Tells nodes apart, a UUID. */
  readonly nodeId: string
  readonly hostname: string
  /** Client connections of the proxy, for `/status`. */
  readonly connections: () => ConnectionCounts
  /** What `/metrics` answers, which is there only if this is. */
  readonly metrics?: TextPage
}

export type ConnectionCounts = {
  readonly accepted: number
  readonly active: number
  readonly handled: number
  readonly reading: number
  readonly writing: number
  readonly waiting: number
  readonly requests: number
}

export type InformationOptions = {
  readonly store: ConfigStore
  readonly catalog: Catalog
  readonly info: AdminInfo
  readonly health: Health
  readonly resources: Resources
  /** Undefined with a database. */
  readonly declarative: DeclarativeStore | undefined
}

/** The endpoints that are about the gateway rather than its entities; undefined when the path is none of them. */
export function informationAt(segments: readonly string[], options: InformationOptions): Endpoint | undefined {
  const { catalog, resources } = options
  const [first, second, third, ...rest] = segments
  if (rest.length > 0) return undefined
  switch (segments.slice(0, 2).join('/')) {
    case '':
      return { GET: () => ok(nodeInformation(options)) }
    case 'metrics':
      return metricsOf(options)
    case 'status':
      return { GET: async () => ok(await statusOf(options)) }
    case 'status/ready':
      return third === undefined ? { GET: () => readyAnswer(options.health) } : undefined
    case 'livez':
    case 'readyz':
      return { GET: () => answerProbe(`/${first}`, options.health) ?? readyAnswer(options.health) }
    case 'endpoints':
      return { GET: () => ok({ data: endpointList(options) }) }
    case 'plugins/enabled':
      return third === undefined
        ? { GET: () => ok({ enabled_plugins: [...catalog.plugins.keys()].sort() }) }
        : undefined
    case 'plugins/schema':
      return third === undefined ? undefined : { GET: () => ok(pluginSchema(catalog, third)) }
    case 'schemas/plugins':
      if (third === undefined) return { GET: () => ok(schemaOf(catalog.kind('plugins'))) }
      if (third === 'validate') return { POST: (call) => validation(resources, catalog.kind('plugins'), call) }
      return { GET: () => ok(pluginSchema(catalog, third)) }
    case 'config':
      return second === undefined ? configEndpoint(options.declarative, catalog) : undefined
    default:
      return first === 'schemas' && second !== undefined ? entitySchema(second, third, options) : undefined
  }
}

function entitySchema(name: string, action: string | undefined, options: InformationOptions): Endpoint | undefined {
  const schema = options.catalog.kinds.find((kind) => kind.name === name)
  if (action !== undefined && action !== 'validate') return undefined
  const find = () => {
    if (schema === undefined) throw new ApiError(404, { message: `No entity named '${name}'` })
    return schema
  }
  if (action === undefined) return { GET: () => ok(schemaOf(find())) }
  return { POST: (call) => validation(options.resources, find(), call) }
}

async function validation(resources: Resources, schema: EntitySchema, call: Call) {
  await resources.validate(schema, await call.input())
  return ok({ message: 'schema validation successful' })
}

/** Schemas go out as they are; JSON leaves their functions out. */
const schemaOf = ({ fields, entity_checks = [], shorthand_fields }: EntitySchema) => ({
  entity_checks,
  fields,
  ...(shorthand_fields && { shorthand_fields }),
})

function pluginSchema(catalog: Catalog, name: string): unknown {
  const plugin = catalog.plugins.get(name)
  if (plugin === undefined) throw new ApiError(404, { message: `No plugin named '${name}'` })
  return schemaOf(plugin.schema)
}

function nodeInformation({ store, catalog, info, declarative }: InformationOptions): unknown {
  const available = [...catalog.plugins.values()].map(({ name, version, priority }) => [name, { version, priority }])
  const enabled = new Set(store.snapshot().plugins.map((plugin) => plugin.name))
  return {
    version: info.version,
    tagline: 'Welcome to kong',
    edition: 'community',
    hostname: info.hostname,
    node_id: info.nodeId,
    plugins: { available_on_server: Object.fromEntries(available), enabled_in_cluster: [...enabled].sort() },
    configuration: { database: declarative === undefined ? 'postgres' : 'off' },
    lua_version: 'none: Groundswell, which speaks the contract of this version of Kong',
    timers: { running: 0, pending: 0 },
    pids: { master: process.pid },
  }
}

async function statusOf({ store, info, declarative }: InformationOptions): Promise<unknown> {
  const counts = info.connections()
  return {
    memory: { workers_lua_vms: [], lua_shared_dicts: {} },
    server: {
      connections_accepted: counts.accepted,
      connections_active: counts.active,
      connections_handled: counts.handled,
      connections_reading: counts.reading,
      connections_writing: counts.writing,
      connections_waiting: counts.waiting,
      total_requests: counts.requests,
    },
    database: { reachable: await store.reachable() },
    ...(declarative && { configuration_hash: declarative.hash }),
  }
}

function metricsOf({ info: { metrics } }: InformationOptions): Endpoint | undefined {
  return metrics === undefined ? undefined : { GET: () => ({ status: 200, page: metrics }) }
}

/** Kong's own words for whether a node may get traffic. */
function readyAnswer(health: Health): Answer {
  const readiness = health.readiness()
  if (readiness.status === 'ready') return ok({ message: 'ready' })
  return { status: 503, body: { message: readiness.reason } }
}

const PROBES = ['/livez', '/readyz']
const FIXED = [
  ...PROBES,
  '/',
  '/config',
  '/endpoints',
  '/plugins/enabled',
  '/plugins/schema/{name}',
  '/proxy-cache',
  '/proxy-cache/{cache_key}',
  '/proxy-cache/{plugin_id}/caches/{cache_key}',
  '/status',
  '/status/ready',
  '/tags',
  '/tags/{tags}',
  '/upstreams/{upstreams}/health',
  '/upstreams/{upstreams}/targets/all',
  '/upstreams/{upstreams}/targets/{targets}/healthy',
  '/upstreams/{upstreams}/targets/{targets}/unhealthy',
]
const SCHEMAS = ['/schemas/{name}', '/schemas/{name}/validate', '/schemas/plugins/{name}', '/schemas/plugins/validate']

function endpointList({ catalog, info }: InformationOptions): readonly string[] {
  const derived = catalog.kinds.flatMap((schema) => {
    const item = `/${segmentOf(schema)}/{${schema.name}}`
    const parents = fieldsOf(schema.fields)
      .filter(([, { type, reference }]) => type === 'foreign' && catalog.kinds.some((kind) => kind.name === reference))
      .map(([field]) => `${item}/${field}`)
    const children = catalog.childrenOf(schema.name).flatMap((child) => {
      const nested = `${item}/${nestedSegmentOf(child.schema)}`
      return [nested, `${nested}/{${child.schema.name}}`]
    })
    return schema.nested_only ? [] : [`/${segmentOf(schema)}`, item, ...parents, ...children]
  })
  const page = info.metrics === undefined ? [] : ['/metrics']
  return [...FIXED, ...SCHEMAS, ...page, ...derived].sort()
}
