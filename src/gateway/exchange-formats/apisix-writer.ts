import { stringify } from 'yaml'
import type { Entity } from '../config/entities.ts'
import { isRecord } from '../config/values.ts'
import type { Entities } from '../declarative/declaration.ts'
import { pluginToApisix, type Settings } from './apisix-plugins.ts'
import type { ExportedConfig } from './exchange.ts'

/**
 * Entities as a standalone file of APISIX (`apisix.yaml`): services with their upstreams, routes, consumers with a key,
 * global rules. What APISIX says in another way is translated, the rest is named. Source: APISIX 3.11,
 * `docs/en/latest/deployment-modes.md`, `admin-api.md` and `router-radixtree.md`.
 */
export function writeApisixFile(entities: Entities): ExportedConfig {
  const writing = new Writing(entities)
  const document = {
    services: writing.services(),
    routes: writing.routes(),
    consumers: writing.consumers(),
    global_rules: writing.globalRules(),
  }
  writing.nameTheRest()
  const filled = Object.entries(document).filter(([, list]) => list.length > 0)
  // APISIX reads the file only when it ends like this, which is how it knows that it is whole.
  return {
    text: `${stringify(Object.fromEntries(filled), { lineWidth: 0, aliasDuplicateObjects: false })}#END\n`,
    omitted: writing.omitted,
  }
}

/** A regular expression is searched for among the prefixes only when it comes before them. */
const PATTERN_PRIORITY = 1_000

/** What APISIX has elsewhere or not at all. */
const UNSAID_OF_SERVICES = ['client_certificate', 'ca_certificates', 'tls_verify', 'tls_verify_depth'] as const
const UNSAID_OF_ROUTES = ['snis', 'sources', 'destinations'] as const

const ALGORITHMS: Readonly<Record<string, string>> = {
  'round-robin': 'roundrobin',
  'least-connections': 'least_conn',
  'consistent-hashing': 'chash',
  latency: 'ewma',
}

class Writing {
  readonly omitted: string[] = []
  readonly #entities: Entities

  constructor(entities: Entities) {
    this.#entities = entities
  }

  services(): Settings[] {
    return this.#all('services').map((service) => {
      const what = describe('service', service)
      if (service.enabled === false) this.#omit(what, 'that it is disabled')
      for (const name of UNSAID_OF_SERVICES) if (isSet(service[name])) this.#omit(what, `its ${name}`)
      const upstream = this.#all('upstreams').find(({ name }) => name === service.host)
      if (isSet(upstream?.host_header)) this.#omit(what, 'the host_header of its upstream')
      if (upstream?.algorithm === 'consistent-hashing')
        this.#omit(what, `that it hashes by ${String(upstream.hash_on)}`)
      return {
        id: service.id,
        name: service.name ?? service.id,
        upstream: this.#upstreamOf(service, 'node'),
        ...this.#plugins({ service: service.id }),
      }
    })
  }

  routes(): Settings[] {
    return this.#all('routes').flatMap((route) => {
      const service = this.#all('services').find(({ id }) => id === idIn(route.service))
      this.#nameUnsaidOf(route)
      const plugins = this.#plugins({ route: route.id })
      const matchers = pathsOf(route)
      return matchers.map((matcher, index) => ({
        id: matchers.length === 1 ? route.id : `${String(route.id)}-${index + 1}`,
        name: route.name ?? route.id,
        ...matcher,
        ...(isFilled(route.methods) && { methods: route.methods }),
        ...(isFilled(route.hosts) && { hosts: route.hosts }),
        ...varsOf(route, matcher),
        ...(service && { service_id: service.id }),
        ...(service && route.preserve_host === true && { upstream: this.#upstreamOf(service, 'pass') }),
        ...withRewrite(plugins, rewriteOf(route, service, matcher)),
      }))
    })
  }

  consumers(): Settings[] {
    return this.#all('consumers').flatMap((consumer) => {
      const what = describe('consumer', consumer)
      if (!/^[a-zA-Z0-9_-]+$/.test(String(consumer.username))) {
        this.#omit(what, 'itself, for names of consumers have only letters, digits, _ and -')
        return []
      }
      const keys = this.#all('keyauth_credentials').filter((each) => idIn(each.consumer) === consumer.id)
      if (keys.length > 1) this.#omit(what, `${keys.length - 1} of its ${keys.length} keys`)
      if (consumer.custom_id !== null && consumer.custom_id !== undefined) this.#omit(what, 'its custom_id')
      const { plugins = {} } = this.#plugins({ consumer: consumer.id })
      const key = keys[0] && { 'key-auth': { key: keys[0].key } }
      return [{ username: consumer.username, plugins: { ...key, ...plugins } }]
    })
  }

  globalRules(): Settings[] {
    const { plugins } = this.#plugins({})
    return plugins === undefined ? [] : [{ id: '1', plugins }]
  }

  /** Kinds that nothing above reads. */
  nameTheRest(): void {
    const written = new Set([
      'services',
      'routes',
      'consumers',
      'keyauth_credentials',
      'plugins',
      'upstreams',
      'targets',
    ])
    for (const [kind, list] of this.#entities) {
      if (!written.has(kind)) for (const entity of list) this.#omit(describe(kind, entity), 'itself')
    }
    for (const plugin of this.#all('plugins')) {
      const scopes = ['service', 'route', 'consumer'].filter((scope) => idIn(plugin[scope]) !== undefined)
      if (scopes.length > 1)
        this.#omit(describe('plugin', plugin), `itself, for it is about a ${scopes.join(' and a ')}`)
    }
  }

  #upstreamOf(service: Entity, passHost: 'node' | 'pass'): Settings {
    const upstream = this.#all('upstreams').find(({ name }) => name === service.host)
    const what = describe('service', service)
    if (upstream !== undefined && isRecord(upstream.healthchecks)) this.#omit(what, 'the health checks of its upstream')
    const targets = this.#all('targets').filter(({ upstream: of }) => upstream && idIn(of) === upstream.id)
    const nodes =
      upstream === undefined
        ? { [`${String(service.host)}:${String(service.port)}`]: 1 }
        : Object.fromEntries(targets.map(({ target, weight }) => [String(target), weight]))
    const seconds = (name: string) => Number(service[name] ?? 60_000) / 1_000
    return {
      type: ALGORITHMS[String(upstream?.algorithm ?? 'round-robin')] ?? 'roundrobin',
      scheme: service.protocol,
      nodes,
      retries: service.retries,
      timeout: { connect: seconds('connect_timeout'), send: seconds('write_timeout'), read: seconds('read_timeout') },
      pass_host: passHost,
    }
  }

  /** The plugins of exactly this scope. */
  #plugins(scope: Readonly<Record<string, unknown>>): { plugins?: Record<string, unknown> } {
    const matching = this.#all('plugins').filter((plugin) =>
      ['service', 'route', 'consumer'].every((name) => idIn(plugin[name]) === scope[name]),
    )
    const plugins = matching.flatMap((plugin) => {
      const converted = pluginToApisix(String(plugin.name), isRecord(plugin.config) ? plugin.config : {})
      const what = describe('plugin', plugin)
      if (converted === undefined) {
        this.#omit(what, 'itself')
        return []
      }
      for (const part of converted.omitted) this.#omit(what, part)
      const off = plugin.enabled === false ? { _meta: { disable: true } } : {}
      return [[converted.name, { ...converted.config, ...off }] as const]
    })
    return plugins.length === 0 ? {} : { plugins: Object.fromEntries(plugins) }
  }

  #nameUnsaidOf(route: Entity): void {
    const what = describe('route', route)
    for (const name of UNSAID_OF_ROUTES) if (isFilled(route[name])) this.#omit(what, `its ${name}`)
    const protocols = Array.isArray(route.protocols) ? route.protocols : []
    if (!protocols.includes('http')) this.#omit(what, `that it is for ${protocols.join(', ')} only`)
    for (const host of Array.isArray(route.hosts) ? route.hosts : []) {
      if (String(host).endsWith('*')) this.#omit(what, `the meaning of the host ${String(host)}`)
    }
  }

  #omit(what: string, part: string): void {
    this.omitted.push(`${what}: ${part}`)
  }

  #all(kind: string): readonly Entity[] {
    return this.#entities.get(kind) ?? []
  }
}

type Matcher = { readonly uris: readonly string[]; readonly priority?: number; readonly vars?: readonly unknown[] }

/** One route for all prefixes, and one for each regular expression. A route without paths takes every one. */
function pathsOf(route: Entity): Matcher[] {
  const paths = (Array.isArray(route.paths) ? route.paths : []).map(String)
  if (paths.length === 0) return [{ uris: ['/*'] }]
  const prefixes = paths.filter((path) => !path.startsWith('~'))
  const patterns = paths.filter((path) => path.startsWith('~'))
  return [
    ...(prefixes.length === 0 ? [] : [{ uris: prefixes.map((path) => `${path}*`) }]),
    ...patterns.map((path) => ({
      uris: ['/*'],
      priority: PATTERN_PRIORITY + Number(route.regex_priority ?? 0),
      vars: [['uri', '~~', `^${path.slice(1)}`]],
    })),
  ]
}

function varsOf(route: Entity, matcher: Matcher): { vars?: readonly unknown[] } {
  const headers = Object.entries(isRecord(route.headers) ? route.headers : {}).map(([name, values]) => {
    const variable = `http_${name.toLowerCase().replaceAll('-', '_')}`
    const [first] = Array.isArray(values) ? values.map(String) : []
    return first?.startsWith('~*') ? [variable, '~*', first.slice(2)] : [variable, 'in', values]
  })
  const vars = [...(matcher.vars ?? []), ...headers]
  return vars.length === 0 ? {} : { vars }
}

/** What `strip_path` and the path of the service do to a request's path; undefined when they leave it alone. */
function rewriteOf(route: Entity, service: Entity | undefined, { uris, vars }: Matcher): Settings | undefined {
  const base = String(service?.path ?? '/').replace(/\/$/, '')
  const isStripped = route.strip_path === true && Array.isArray(route.paths) && route.paths.length > 0
  if (!isStripped) return base === '' ? undefined : { regex_uri: ['^(.*)$', `${base}$1`] }
  const pattern = vars === undefined ? undefined : String((vars[0] as readonly unknown[])[2])
  const prefixes = uris.map((uri) => escaped(uri.slice(0, -1).replace(/\/$/, ''))).join('|')
  return { regex_uri: [pattern === undefined ? `^(?:${prefixes})/?(.*)$` : `${pattern}/?(.*)$`, `${base}/$1`] }
}

function withRewrite({ plugins }: { plugins?: Settings }, rewrite: Settings | undefined): { plugins?: Settings } {
  if (rewrite === undefined) return plugins === undefined ? {} : { plugins }
  return { plugins: { ...plugins, 'proxy-rewrite': rewrite } }
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

const idIn = (reference: unknown) => (isRecord(reference) ? reference.id : undefined)

const isSet = (value: unknown) => value !== undefined && value !== null

const isFilled = (value: unknown) => Array.isArray(value) && value.length > 0

const describe = (kind: string, { name, username, id }: Entity) => `${kind} ${String(name ?? username ?? id)}`
