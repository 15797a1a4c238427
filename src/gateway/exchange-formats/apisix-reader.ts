import { messageOf } from '../../core/index.ts'
import { isRecord } from '../config/values.ts'
import { parseYamlMap } from '../declarative/yaml-text.ts'
import { gatewayError } from '../errors.ts'
import { pluginToKong, type Settings } from './apisix-plugins.ts'

export type ApisixImport = {
  /** As the collections of a Kong declarative document. */
  readonly collections: Readonly<Record<string, unknown>>
  readonly omitted: readonly string[]
}

const KINDS = ['routes', 'services', 'upstreams', 'consumers', 'global_rules'] as const

/** Fields of APISIX that are read, by kind; any other that is set is named as left out. */
const READ: Readonly<Record<string, readonly string[]>> = {
  routes: [
    'id',
    'name',
    'uri',
    'uris',
    'methods',
    'host',
    'hosts',
    'vars',
    'priority',
    'plugins',
    'service_id',
    'upstream',
    'upstream_id',
    'desc',
  ],
  services: ['id', 'name', 'upstream', 'upstream_id', 'plugins', 'desc'],
  consumers: ['username', 'plugins', 'desc'],
  upstreams: ['id', 'name', 'nodes', 'scheme', 'type', 'retries', 'timeout', 'pass_host', 'desc'],
}

/** Hashing is another matter: by what, the two say in different words. */
const ALGORITHMS: Readonly<Record<string, string>> = {
  roundrobin: 'round-robin',
  least_conn: 'least-connections',
  ewma: 'latency',
}

/**
 * A standalone file of APISIX; undefined when the text is none. Services with several nodes become an upstream with
 * targets. Throws GATEWAY_CONFIG_INVALID for YAML that cannot be read.
 */
export function readApisixFile(text: string): ApisixImport | undefined {
  const document = parseYaml(text)
  if ('_format_version' in document) return undefined
  if (!KINDS.some((kind) => Array.isArray(document[kind]))) return undefined
  return new Reading(document).read()
}

function parseYaml(text: string): Readonly<Record<string, unknown>> {
  try {
    return parseYamlMap(text)
  } catch (cause) {
    throw gatewayError('GATEWAY_CONFIG_INVALID', `the file cannot be read: ${messageOf(cause)}`, { cause })
  }
}

class Reading {
  readonly #document: Settings
  readonly #omitted: string[] = []
  readonly #lists: Record<string, Settings[]> = {
    upstreams: [],
    targets: [],
    services: [],
    routes: [],
    consumers: [],
    keyauth_credentials: [],
    plugins: [],
  }

  constructor(document: Settings) {
    this.#document = document
  }

  read(): ApisixImport {
    for (const [kind, list] of Object.entries(this.#document)) {
      if (!KINDS.includes(kind as (typeof KINDS)[number]) && Array.isArray(list)) {
        this.#omitted.push(`${kind}: all ${list.length} of them`)
      }
    }
    for (const service of this.#all('services')) this.#service(service, nameOf(service, 'service'))
    for (const route of this.#all('routes')) {
      if (urisOf(route).every((uri) => typeof uri === 'string')) this.#route(route)
      else this.#omitted.push(`route ${String(route.id ?? route.name)}: itself, for its uri is no text`)
    }
    for (const consumer of this.#all('consumers')) {
      if (typeof consumer.username === 'string') this.#consumer(consumer, consumer.username)
      else this.#omitted.push('a consumer: itself, for its username is no text')
    }
    for (const rule of this.#all('global_rules')) this.#plugins(rule, {}, `global rule ${String(rule.id)}`)
    const filled = Object.entries(this.#lists).filter(([, list]) => list.length > 0)
    return { collections: Object.fromEntries(filled), omitted: this.#omitted }
  }

  #service(service: Settings, name: string): void {
    this.#nameUnread('services', service, `service ${name}`)
    this.#destination(service, name)
    this.#plugins(service, { service: name }, `service ${name}`)
  }

  /** A Kong service for where an APISIX service or route sends its requests. */
  #destination(from: Settings, name: string): boolean {
    const shared = this.#all('upstreams').find(({ id }) => isSameId(id, from.upstream_id))
    const upstream = isRecord(from.upstream) ? from.upstream : shared
    const nodes = upstream === undefined ? [] : nodesOf(upstream.nodes)
    const [first] = nodes
    if (upstream === undefined || first === undefined) {
      this.#omitted.push(`service ${name}: itself, for it has no nodes`)
      return false
    }
    this.#nameUnread('upstreams', upstream, `service ${name}`)
    const { scheme = 'http', retries, timeout } = upstream
    const isPool = nodes.length > 1
    if (isPool) this.#pool(name, nodes, upstream.type)
    this.#lists.services?.push({
      name,
      protocol: scheme,
      host: isPool ? `${name}.upstream` : first.host,
      port: isPool ? 80 : first.port,
      ...(retries === undefined ? {} : { retries }),
      ...timeoutsOf(isRecord(timeout) ? timeout : {}),
    })
    return true
  }

  #pool(name: string, nodes: readonly Node[], type: unknown): void {
    const upstream = `${name}.upstream`
    const algorithm = ALGORITHMS[String(type ?? 'roundrobin')]
    if (algorithm === undefined) this.#omitted.push(`service ${name}: how it is balanced, ${String(type)}`)
    this.#lists.upstreams?.push({ name: upstream, ...(algorithm !== undefined && { algorithm }) })
    for (const { host, port, weight } of nodes)
      this.#lists.targets?.push({ upstream, target: `${host}:${port}`, weight })
  }

  #route(route: Settings): void {
    const name = nameOf(route, 'route')
    const what = `route ${name}`
    this.#nameUnread('routes', route, what)
    const service = this.#serviceOf(route, name)
    const { paths, headers } = this.#matchersOf(route, what)
    const inline = isRecord(route.upstream) ? route.upstream : {}
    this.#lists.routes?.push({
      name: this.#unusedRouteName(name),
      ...(service === undefined ? {} : { service }),
      ...(Array.isArray(route.methods) && { methods: route.methods }),
      ...(hostsOf(route).length > 0 && { hosts: hostsOf(route) }),
      ...(paths.length > 0 && { paths }),
      ...(Object.keys(headers).length > 0 && { headers }),
      strip_path: this.#isStripped(route, what),
      preserve_host: inline.pass_host === undefined ? service === name : inline.pass_host === 'pass',
    })
    this.#plugins(route, { route: this.#lists.routes?.at(-1)?.name }, what)
  }

  #serviceOf(route: Settings, name: string): string | undefined {
    const declared = this.#all('services').find(({ id }) => isSameId(id, route.service_id))
    if (declared !== undefined) return nameOf(declared, 'service')
    return this.#destination(route, name) ? name : undefined
  }

  #matchersOf(route: Settings, what: string): { paths: readonly string[]; headers: Record<string, unknown> } {
    const headers: Record<string, unknown> = {}
    const patterns: string[] = []
    for (const rule of Array.isArray(route.vars) ? route.vars : []) {
      const [variable, operator, value] = Array.isArray(rule) ? rule.map((part: unknown) => part) : []
      const header = /^http_(.+)$/.exec(String(variable))?.[1]?.replaceAll('_', '-')
      if (variable === 'uri' && operator === '~~') patterns.push(`~${String(value).replace(/^\^/, '')}`)
      else if (header !== undefined && operator === 'in') headers[header] = value
      else if (header !== undefined && operator === '==') headers[header] = [value]
      else if (header !== undefined && operator === '~*') headers[header] = [`~*${String(value)}`]
      else this.#omitted.push(`${what}: the condition ${JSON.stringify(rule)}`)
    }
    return { paths: patterns.length > 0 ? patterns : urisOf(route).map(pathOf), headers }
  }

  /** Only the rewriting that the export writes for `strip_path` is understood. */
  #isStripped({ plugins }: Settings, what: string): boolean {
    const rewrite = isRecord(plugins) ? plugins['proxy-rewrite'] : undefined
    if (rewrite === undefined) return false
    const [pattern, target] = isRecord(rewrite) && Array.isArray(rewrite.regex_uri) ? rewrite.regex_uri : []
    if (target === '/$1' && String(pattern).endsWith('/?(.*)$')) return true
    this.#omitted.push(`${what}: plugin proxy-rewrite`)
    return false
  }

  #consumer(consumer: Settings, username: string): void {
    this.#nameUnread('consumers', consumer, `consumer ${username}`)
    this.#lists.consumers?.push({ username })
    const plugins = isRecord(consumer.plugins) ? consumer.plugins : {}
    const { 'key-auth': key, ...others } = plugins
    if (isRecord(key)) this.#lists.keyauth_credentials?.push({ consumer: username, key: key.key })
    this.#plugins({ plugins: others }, { consumer: username }, `consumer ${username}`)
  }

  #plugins({ plugins }: Settings, scope: Settings, what: string): void {
    for (const [name, given] of Object.entries(isRecord(plugins) ? plugins : {})) {
      if (name === 'proxy-rewrite') continue
      const { _meta: meta, ...config } = isRecord(given) ? given : {}
      const converted = pluginToKong(name, config)
      if (converted === undefined) this.#omitted.push(`${what}: plugin ${name}`)
      else {
        for (const part of converted.omitted) this.#omitted.push(`${what}: plugin ${name}: ${part}`)
        const enabled = !(isRecord(meta) && meta.disable === true)
        this.#lists.plugins?.push({ name: converted.name, config: converted.config, enabled, ...scope })
      }
    }
  }

  #nameUnread(kind: string, entity: Settings, what: string): void {
    for (const [name, value] of Object.entries(entity)) {
      if (!READ[kind]?.includes(name) && value !== undefined) this.#omitted.push(`${what}: its ${name}`)
    }
  }

  /** APISIX's names need not be unique. */
  #unusedRouteName(name: string): string {
    const taken = new Set(this.#lists.routes?.map((route) => route.name))
    for (let count = 1; ; count++) {
      const candidate = count === 1 ? name : `${name}-${count}`
      if (!taken.has(candidate)) return candidate
    }
  }

  #all(kind: string): readonly Settings[] {
    const list = this.#document[kind]
    return Array.isArray(list) ? list.filter(isRecord) : []
  }
}

/** APISIX takes `1` and `"1"` for one id. */
const isSameId = (id: unknown, reference: unknown) => id !== undefined && String(id) === String(reference)

type Node = { readonly host: string; readonly port: number; readonly weight: number }

/** `{ 'host:port': weight }`, or a list of records. */
function nodesOf(nodes: unknown): readonly Node[] {
  if (Array.isArray(nodes)) {
    return nodes.filter(isRecord).map(({ host, port, weight }) => ({
      host: String(host),
      port: Number(port ?? 80),
      weight: Number(weight ?? 1),
    }))
  }
  return Object.entries(isRecord(nodes) ? nodes : {}).map(([address, weight]) => {
    const [, host = address, port = '80'] = /^(.*):(\d+)$/.exec(address) ?? []
    return { host, port: Number(port), weight: Number(weight) }
  })
}

/** Seconds there, milliseconds here. */
function timeoutsOf({ connect, send, read }: Settings): Settings {
  const inMs = { connect_timeout: connect, write_timeout: send, read_timeout: read }
  const given = Object.entries(inMs).filter(([, seconds]) => seconds !== undefined)
  return Object.fromEntries(given.map(([name, seconds]) => [name, Math.round(Number(seconds) * 1_000)]))
}

/** A URI that ends with `*` is a prefix; any other is exact, which here is a regular expression. */
function pathOf(uri: unknown): string {
  const text = String(uri)
  return text.endsWith('*') ? text.slice(0, -1) : `~${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`
}

const urisOf = ({ uri, uris }: Settings): readonly unknown[] => [
  ...(Array.isArray(uris) ? uris : []),
  ...(uri === undefined ? [] : [uri]),
]

const hostsOf = ({ host, hosts }: Settings): readonly unknown[] =>
  Array.isArray(hosts) ? hosts : host === undefined ? [] : [host]

/** Names have fewer characters in Kong, and are optional in APISIX. */
function nameOf({ name, id, uri }: Settings, kind: string): string {
  const given = name ?? `${kind}-${String(id ?? uri ?? 'unnamed').replace(/^\//, '')}`
  return String(given).replace(/[^\w.~-]+/g, '-')
}
