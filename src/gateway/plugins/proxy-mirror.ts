import type { IncomingHttpHeaders } from 'node:http'
import { DEADLINE_HEADER } from '../../core/index.ts'
import { BodyCopy, CopyMemory } from '../body-copy.ts'
import { requestMirrored } from '../channels.ts'
import { method, path } from '../config/field-types.ts'
import { httpProtocols, noConsumer, type PluginSchema } from '../config/schema.ts'
import type { Exchange } from '../exchange.ts'
import { MIRRORED_BODY_BYTES_MAX } from '../limits.ts'
import { hasBody } from '../request-body.ts'
import { Mirror } from './mirror.ts'
import type { PluginDefinition, PluginScope } from './plugin.ts'

/**
 * Sends a copy of requests to another place, whose answers nobody sees. The copy is what the service got, and goes out
 * when the client has its answer: a mirror can neither delay a request nor fail it. The first four settings are those
 * of the plugin of this name in APISIX, the others are ours.
 * Source: APISIX 3.17, `docs/en/latest/plugins/proxy-mirror.md`.
 */
type Config = {
  readonly host: string
  readonly path: string | null
  readonly path_concat_mode: 'replace' | 'prefix'
  readonly sample_ratio: number
  readonly methods: readonly string[] | null
  readonly body_bytes_max: number
  readonly concurrency: number
  /** Milliseconds. */
  readonly timeout: number
}

const schema: PluginSchema = {
  name: 'proxy-mirror',
  fields: [
    { consumer: noConsumer },
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          {
            host: {
              type: 'string',
              required: true,
              custom_validator: originError,
              description: 'Where copies go: scheme, host and port, like `http://10.0.0.7:8081`.',
            },
          },
          { path: { ...path, description: 'Path of copies; that of the request at the service when not given.' } },
          {
            path_concat_mode: {
              type: 'string',
              default: 'replace',
              one_of: ['replace', 'prefix'],
              description: 'Whether `path` is the whole path, or goes before that of the request.',
            },
          },
          {
            sample_ratio: {
              type: 'number',
              default: 1,
              between: [0.00001, 1],
              description: 'Share of the requests that are copied.',
            },
          },
          { methods: { type: 'set', elements: method, description: 'Methods that are copied; all when not given.' } },
          {
            body_bytes_max: {
              type: 'integer',
              default: 65_536,
              between: [0, MIRRORED_BODY_BYTES_MAX],
              description: 'Bytes of the largest body that is copied.',
            },
          },
          {
            concurrency: {
              type: 'integer',
              default: 50,
              between: [1, 1_000],
              description: 'Copies that are under way at a time; further ones are dropped.',
            },
          },
          {
            timeout: { type: 'integer', default: 10_000, between: [1, 60_000], description: 'Milliseconds of a copy.' },
          },
        ],
      },
    },
  ],
}

export const proxyMirror: PluginDefinition = {
  name: 'proxy-mirror',
  version: '1.0.0',
  // Before whatever may wait: of a body that has begun to arrive there is no copy.
  priority: 100_000,
  schema,
  create(raw, scope) {
    const config = raw as Config
    const mirror = scope.keep(() => new Mirror())
    const memory = scope.share('proxy-mirror bodies', () => new CopyMemory())
    const copies = new WeakMap<Exchange, BodyCopy | 'no body'>()
    mirror.configure({
      plugin: scope.entity.id,
      origin: new URL(config.host).origin,
      concurrency: config.concurrency,
      timeoutMs: config.timeout,
    })
    return {
      access(exchange) {
        const { request } = exchange
        if (!isSampled(exchange, config, scope)) return undefined
        const copy = hasBody(request) ? new BodyCopy(request, memory, config.body_bytes_max) : 'no body'
        copies.set(exchange, copy)
        return undefined
      },
      log(exchange) {
        const copy = copies.get(exchange)
        if (copy === undefined) return
        // What no service was asked for is nothing that another should be asked for.
        if (exchange.dispatchedAtMs !== undefined) send(exchange, copy, { config, scope, mirror })
        if (copy !== 'no body') copy.release()
      },
    }
  },
}

function isSampled({ request, upgrade }: Exchange, config: Config, { random }: PluginScope): boolean {
  if (upgrade !== undefined || config.methods?.includes(request.method ?? '') === false) return false
  return config.sample_ratio === 1 || random() < config.sample_ratio
}

type Sending = { readonly config: Config; readonly scope: PluginScope; readonly mirror: Mirror }

function send(exchange: Exchange, copy: BodyCopy | 'no body', { config, scope, mirror }: Sending): void {
  // A plugin that read the body, or replaced it, has it whole.
  const body = exchange.body ?? (copy === 'no body' ? Buffer.alloc(0) : copy.result())
  if (typeof body === 'string') requestMirrored.publish({ plugin: scope.entity.id, outcome: body })
  else if (body.length > config.body_bytes_max) {
    requestMirrored.publish({ plugin: scope.entity.id, outcome: 'body-too-large' })
  } else {
    const { method = 'GET', url = '/' } = exchange.request
    mirror.send({ method, path: pathOf(url, config), headers: headersOf(exchange.headers), body })
  }
}

/** The query is the request's own in any case. */
function pathOf(url: string, { path: own, path_concat_mode }: Config): string {
  if (own === null) return url
  const at = url.indexOf('?')
  const [path, query] = at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at)]
  return (path_concat_mode === 'prefix' ? own + path : own) + query
}

/** What is about this message, its place or its deadline, the copy has its own of. */
const NOT_COPIED = new Set(['host', 'content-length', 'transfer-encoding', 'expect', DEADLINE_HEADER])

function headersOf(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_COPIED.has(name)))
}

function originError(value: string): string | undefined {
  const url = URL.parse(value)
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:'
  const isBare = url !== null && url.href === `${url.origin}/`
  return isHttp && isBare ? undefined : 'must be http:// or https:// with a host and a port, and nothing else'
}
