import { parse } from 'node:querystring'
import { headerName } from '../config/field-types.ts'
import { httpProtocols, type PluginSchema } from '../config/schema.ts'
import type { Exchange } from '../exchange.ts'
import { BUFFERED_BODY_BYTES_MAX } from '../limits.ts'
import { hasQueryName, queryParameters } from '../query.ts'
import { flag } from './authentication.ts'
import type { PluginDefinition } from './plugin.ts'

/** Answers in place of the upstream, always or on a sign. Source: Kong 3.9, `kong/plugins/request-termination`. */
type Config = {
  readonly status_code: number
  readonly message: string | null
  readonly content_type: string | null
  readonly body: string | null
  readonly echo: boolean
  readonly trigger: string | null
}

const schema: PluginSchema = {
  name: 'request-termination',
  fields: [
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          {
            status_code: {
              type: 'integer',
              required: true,
              default: 503,
              between: [100, 599],
              custom_validator: (value: number) =>
                value < 200 ? 'an informational status ends no request: use 200 to 599' : undefined,
              description: 'The status of the answer.',
            },
          },
          { message: { type: 'string', description: 'The message of a JSON body.' } },
          { content_type: { type: 'string', description: 'The type of `body`; JSON when it is not given.' } },
          { body: { type: 'string', description: 'The body, as it is.' } },
          { echo: flag(false, 'Whether the answer describes the request.') },
          { trigger: { ...headerName, description: 'A header or query parameter without which requests pass.' } },
        ],
        custom_validator: combinationError,
      },
    },
  ],
}

export const requestTermination: PluginDefinition = {
  name: 'request-termination',
  version: '3.9.1',
  priority: 2,
  schema,
  create(raw) {
    const config = raw as Config
    return {
      access(exchange) {
        if (config.trigger !== null && !isTriggered(exchange, config.trigger)) return undefined
        return config.echo ? echo(exchange, config) : terminate(exchange, config)
      },
    }
  },
}

const MESSAGES = new Map([
  [401, 'Unauthorized'],
  [404, 'Not found'],
  [405, 'Method not allowed'],
  [500, 'An unexpected error occurred'],
  [502, 'Bad Gateway'],
  [503, 'Service unavailable'],
])

const messageOf = ({ message, status_code }: Config) => message ?? MESSAGES.get(status_code)

function isTriggered({ headers, query }: Exchange, name: string): boolean {
  return headers[name.toLowerCase()] !== undefined || hasQueryName(query, name)
}

function terminate(exchange: Exchange, config: Config): undefined {
  const { status_code: status, body, content_type } = config
  if (body !== null) return exchange.answer({ status, body, ...(content_type && { contentType: content_type }) })
  const message = messageOf(config)
  return exchange.answer({ status, ...(message !== undefined && { body: JSON.stringify({ message }) }) })
}

async function echo(exchange: Exchange, config: Config): Promise<void> {
  const { request, headers, path, query, target } = exchange
  const body = await exchange.readBody(BUFFERED_BODY_BYTES_MAX)
  const rawBody = body === undefined || body.length === 0 ? undefined : body.toString()
  const described = {
    message: messageOf(config),
    request: {
      scheme: exchange.secure ? 'https' : 'http',
      host: headers.host?.replace(/:\d+$/, ''),
      port: Number(exchange.port),
      method: request.method,
      path,
      query: queryParameters(query),
      headers,
      raw_body: rawBody,
      body: parsedBody(rawBody, headers['content-type']),
    },
    matched_route: target?.route,
    matched_service: target?.service,
  }
  exchange.answer({ status: config.status_code, body: JSON.stringify(described) })
}

function parsedBody(text: string | undefined, contentType: string | undefined): unknown {
  if (text === undefined || contentType === undefined) return undefined
  if (contentType.startsWith('application/x-www-form-urlencoded')) return parse(text)
  if (!contentType.startsWith('application/json')) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined // The raw body shows what it was.
  }
}

function combinationError({ message, content_type, body, echo }: Config): string | undefined {
  if (message !== null && (content_type !== null || body !== null)) {
    return 'message cannot be used with content_type or body'
  }
  if (content_type !== null && body === null) return 'content_type requires a body'
  if (echo && body !== null) return 'echo cannot be used with content_type and body'
  return undefined
}
