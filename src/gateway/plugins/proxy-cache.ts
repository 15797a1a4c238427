import { hash } from 'node:crypto'
import { pluginStoreUnavailable } from '../channels.ts'
import { type Exchange, headerName } from '../exchange.ts'
import { CACHED_BODY_BYTES_MAX } from '../limits.ts'
import { cacheControlOf, secondsOf } from '../response-cache/cache-control.ts'
import type { Lookup, RemovalCount, ResponseStore, StoredResponse } from '../response-cache/response-store.ts'
import { MemoryResponseStore, ResponseMemory } from '../response-cache/stores/memory.ts'
import { RedisResponseStore } from '../response-cache/stores/redis.ts'
import type { BodyFilter, HeaderList, ResponseHead } from '../response-head.ts'
import { RedisConnection } from '../stores/redis-connection.ts'
import type { PluginDefinition, PluginScope } from './plugin.ts'
import { type ProxyCacheConfig, proxyCacheSchema } from './proxy-cache-schema.ts'

/**
 * Answers with what the service answered before. Kong's semantics, which are not those of RFC 9111: a response is
 * fresh for `cache_ttl` unless `cache_control` is on. Safer than Kong where it would show one client what is another's:
 * a request with Authorization or a token of an issuer whose caller is no consumer, a response that sets a cookie, and
 * one that varies by a header which is not among `vary_headers`, all go past the cache. Source: Kong 3.9,
 * `kong/plugins/proxy-cache`.
 */
export const proxyCache: PluginDefinition = {
  name: 'proxy-cache',
  version: '3.9.1',
  priority: 100,
  schema: proxyCacheSchema,
  create(raw, scope) {
    const config = raw as ProxyCacheConfig
    const cache: Cache = { config, scope, store: storeOf(config, scope), pending: new WeakMap() }
    return {
      responses: cache.store,
      access(exchange) {
        if (goesPast(exchange, config)) return showStatus(exchange, config, 'Bypass')
        const key = keyOf(exchange, config)
        if (config.response_headers['X-Cache-Key']) exchange.setReplyHeader(CACHE_KEY, key)
        const found = cache.store.find(key)
        if (!(found instanceof Promise)) return answer(exchange, { key, found }, cache)
        return found.then(
          (lookup) => answer(exchange, { key, found: lookup }, cache),
          (error: unknown) => withoutStore(exchange, cache, error),
        )
      },
      response(exchange, head) {
        const pending = cache.pending.get(exchange)
        if (pending === undefined || exchange.exited) return undefined
        const freshMs = freshMsOf(head, config)
        if (freshMs > 0 && isStorable(head, config)) return tap(head, cache, { ...pending, freshMs })
        if (config.response_headers['X-Cache-Status']) head.headers.set(CACHE_STATUS.wire, 'Bypass')
        return undefined
      },
    }
  },
}

type Cache = {
  readonly config: ProxyCacheConfig
  readonly scope: PluginScope
  readonly store: ResponseStore
  /** Requests whose response may be stored, and how. */
  readonly pending: WeakMap<Exchange, Pending>
}

type Pending = { readonly key: string; readonly epoch: string }

type Status = 'Hit' | 'Miss' | 'Refresh' | 'Bypass'

const CACHE_STATUS = headerName('X-Cache-Status')
const CACHE_KEY = headerName('X-Cache-Key')
const AGE = headerName('Age')

/** About a connection or this one message: each answer has its own. */
const NOT_STORED = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'trailer',
  'age',
])

function storeOf({ strategy, redis }: ProxyCacheConfig, scope: PluginScope): ResponseStore {
  const { id } = scope.entity
  const count = scope.keep((): RemovalCount => ({ removals: 0 }))
  if (strategy === 'memory') {
    const memory = scope.share('proxy-cache memory', () => new ResponseMemory())
    return new MemoryResponseStore(memory, id, count)
  }
  const connection = scope.share(RedisConnection.nameOf(redis), () => new RedisConnection(redis))
  return new RedisResponseStore(connection, id, count)
}

function showStatus(exchange: Exchange, config: ProxyCacheConfig, status: Status): undefined {
  if (config.response_headers['X-Cache-Status']) exchange.setReplyHeader(CACHE_STATUS, status)
}

function goesPast({ request, headers, consumer, credential }: Exchange, config: ProxyCacheConfig): boolean {
  if (!config.request_method.includes(request.method ?? '')) return true
  const isSomebody = headers.authorization !== undefined || credential !== undefined
  if (isSomebody && consumer === undefined) return true
  if (!config.cache_control) return false
  const asked = cacheControlOf(headers['cache-control'])
  return asked.has('no-store') || asked.has('no-cache')
}

/** Who asks, where, and for what: all that may make one response another than the next. */
function keyOf({ consumer, target, request, path, query, headers }: Exchange, config: ProxyCacheConfig): string {
  const parameters = [...new URLSearchParams(query)].filter(
    ([name]) => config.vary_query_params?.includes(name) ?? true,
  )
  const varied = (config.vary_headers ?? []).map((name) => [name.toLowerCase(), headers[name.toLowerCase()] ?? null])
  const parts = [
    consumer?.id ?? null,
    target?.route.id ?? null,
    request.method,
    headers.host ?? null,
    config.ignore_uri_case ? path.toLowerCase() : path,
    parameters.sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0)),
    varied,
  ]
  return hash('sha256', JSON.stringify(parts))
}

type Look = { readonly key: string; readonly found: Lookup }

function answer(exchange: Exchange, { key, found: { response: found, epoch } }: Look, cache: Cache): undefined {
  const { config, scope } = cache
  if (found !== undefined) {
    const ageSeconds = Math.max(0, Math.floor((scope.clock.now() - found.storedAtMs) / 1_000))
    if (isFresh(exchange, found, { config, ageSeconds })) return hit(exchange, found, { config, ageSeconds })
  }
  if (config.cache_control && cacheControlOf(exchange.headers['cache-control']).has('only-if-cached')) {
    return exchange.exit(504, 'Gateway Timeout')
  }
  cache.pending.set(exchange, { key, epoch })
  return showStatus(exchange, config, found === undefined ? 'Miss' : 'Refresh')
}

/** A cache that cannot be reached costs time, not answers. */
function withoutStore(exchange: Exchange, { config, scope }: Cache, error: unknown): undefined {
  pluginStoreUnavailable.publish({ plugin: scope.entity.id, error })
  return showStatus(exchange, config, 'Bypass')
}

type Aged = { readonly config: ProxyCacheConfig; readonly ageSeconds: number }

function isFresh(exchange: Exchange, { freshMs }: StoredResponse, { config, ageSeconds }: Aged): boolean {
  const freshSeconds = freshMs / 1_000
  if (!config.cache_control) return ageSeconds < freshSeconds
  const asked = cacheControlOf(exchange.headers['cache-control'])
  const maxAge = secondsOf(asked, 'max-age')
  if (maxAge !== undefined && ageSeconds > maxAge) return false
  const minFresh = secondsOf(asked, 'min-fresh')
  if (minFresh !== undefined && freshSeconds - ageSeconds < minFresh) return false
  const maxStale = asked.get('max-stale') === true ? Number.POSITIVE_INFINITY : (secondsOf(asked, 'max-stale') ?? 0)
  return ageSeconds < freshSeconds + maxStale
}

function hit(exchange: Exchange, { status, headers, body }: StoredResponse, { config, ageSeconds }: Aged): undefined {
  showStatus(exchange, config, 'Hit')
  if (config.response_headers.age) exchange.setReplyHeader(AGE, String(ageSeconds))
  return exchange.respond(status, headers, body)
}

function isStorable({ status, upstream }: ResponseHead, config: ProxyCacheConfig): boolean {
  if (!config.response_code.includes(status) || upstream.has('set-cookie')) return false
  if (Number(upstream.get('content-length')) > CACHED_BODY_BYTES_MAX) return false
  if (!variesOnlyBy(upstream, config.vary_headers ?? [])) return false
  const type = upstream.get('content-type')
  return type !== undefined && config.content_type.some((wanted) => matchesType(wanted, type))
}

function variesOnlyBy(upstream: HeaderList, names: readonly string[]): boolean {
  const known = new Set(names.map((name) => name.toLowerCase()))
  const varying = upstream.getAll('vary').flatMap((line) => line.split(','))
  return varying.every((name) => known.has(name.trim().toLowerCase()))
}

/** The same type, or a wildcard for it, with as many parameters, each of them the same. */
function matchesType(wanted: string, given: string): boolean {
  const [wantedType = '', ...wantedParameters] = partsOf(wanted)
  const [givenType = '', ...givenParameters] = partsOf(given)
  const [type, subtype] = wantedType.split('/')
  const [otherType, otherSubtype] = givenType.split('/')
  const isSame = (type === '*' || type === otherType) && (subtype === '*' || subtype === otherSubtype)
  return (
    isSame &&
    wantedParameters.length === givenParameters.length &&
    wantedParameters.every((parameter) => givenParameters.includes(parameter))
  )
}

function partsOf(mediaType: string): string[] {
  return mediaType.split(';').map((part) => part.trim().toLowerCase())
}

/** How long the response is fresh; 0 or less when it may not be stored. */
function freshMsOf({ upstream }: ResponseHead, config: ProxyCacheConfig): number {
  if (!config.cache_control) return config.cache_ttl * 1_000
  const said = cacheControlOf(upstream.getAll('cache-control'))
  if (['private', 'no-store', 'no-cache'].some((directive) => said.has(directive))) return 0
  const seconds = secondsOf(said, 's-maxage') ?? secondsOf(said, 'max-age') ?? expiresInSeconds(upstream)
  return (seconds ?? 0) * 1_000
}

function expiresInSeconds(upstream: HeaderList): number | undefined {
  const expires = Date.parse(upstream.get('expires') ?? '')
  const date = Date.parse(upstream.get('date') ?? '')
  return Number.isNaN(expires) || Number.isNaN(date) ? undefined : (expires - date) / 1_000
}

/** Lets the body through, and stores what went through once it is whole. */
function tap(
  { status, upstream }: ResponseHead,
  cache: Cache,
  { key, epoch, freshMs }: Pending & { readonly freshMs: number },
): BodyFilter {
  const { config, scope, store } = cache
  const chunks: Buffer[] = []
  let bytes = 0
  return {
    write(chunk) {
      bytes += chunk.length
      // The chunk is the service's own, and may be used again once it is sent.
      if (bytes <= CACHED_BODY_BYTES_MAX) chunks.push(Buffer.from(chunk))
      return chunk
    },
    end() {
      if (bytes > CACHED_BODY_BYTES_MAX) return undefined
      const headers = upstream.flat((key) => !NOT_STORED.has(key))
      const response = { status, headers, body: Buffer.concat(chunks), storedAtMs: scope.clock.now(), freshMs }
      const keptMs = config.storage_ttl === null ? freshMs : config.storage_ttl * 1_000
      store
        .keep(key, response, { keptMs, epoch })
        ?.catch((error: unknown) => pluginStoreUnavailable.publish({ plugin: scope.entity.id, error }))
      return undefined
    },
  }
}
