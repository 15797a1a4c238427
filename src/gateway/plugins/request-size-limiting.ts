import { httpProtocols, type PluginSchema } from '../config/schema.ts'
import type { Exchange } from '../exchange.ts'
import { flag } from './authentication.ts'
import type { PluginDefinition } from './plugin.ts'

/**
 * Refuses requests whose body is too large: at once where its length is announced, else as soon as it is, without
 * keeping what came. Source: Kong 3.9, `kong/plugins/request-size-limiting`.
 */
type Config = {
  readonly allowed_payload_size: number
  readonly size_unit: keyof typeof UNIT_BYTES
  readonly require_content_length: boolean
}

const UNIT_BYTES = { megabytes: 2 ** 20, kilobytes: 2 ** 10, bytes: 1 }

const schema: PluginSchema = {
  name: 'request-size-limiting',
  fields: [
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          { allowed_payload_size: { type: 'integer', default: 128, description: 'The largest body, in the unit.' } },
          {
            size_unit: {
              type: 'string',
              required: true,
              default: 'megabytes',
              one_of: Object.keys(UNIT_BYTES),
              description: 'What sizes are counted in: a megabyte is 1,048,576 bytes.',
            },
          },
          { require_content_length: flag(false, 'Whether a body that does not come in chunks needs its length.') },
        ],
      },
    },
  ],
}

export const requestSizeLimiting: PluginDefinition = {
  name: 'request-size-limiting',
  version: '3.9.1',
  priority: 951,
  schema,
  create(raw) {
    const config = raw as Config
    const bytesMax = config.allowed_payload_size * UNIT_BYTES[config.size_unit]
    return {
      access(exchange) {
        const { headers } = exchange
        const length = headers['content-length']
        if (length !== undefined) return Number(length) > bytesMax ? refuse(exchange) : undefined
        const isChunked = headers['transfer-encoding'] !== undefined
        if (config.require_content_length && !isChunked && expectsBody(exchange)) {
          return exchange.exit(411, 'A valid Content-Length header is required')
        }
        // From HTTP/2 on, a body needs neither of the two headers.
        if (isChunked || exchange.request.httpVersionMajor > 1) countBody(exchange, bytesMax)
        return undefined
      },
    }
  },
}

const MESSAGE = 'Request size limit exceeded'

function refuse(exchange: Exchange): undefined {
  return exchange.exit(statusFor(exchange), MESSAGE)
}

function statusFor({ headers }: Exchange): number {
  return headers.expect?.trim().toLowerCase() === '100-continue' ? 417 : 413
}

const METHODS_WITH_BODY = new Set(['POST', 'PUT', 'PATCH'])

const expectsBody = ({ request }: Exchange) => METHODS_WITH_BODY.has(request.method ?? '')

/**
 * Counts a body of unknown length on its way to whoever reads it, by looking at the events of the request: a listener
 * of our own would set the stream in motion before its reader is there. Beyond the limit the reader gets an error
 * instead of the rest, never an end: it must not take half a body for a whole one.
 */
function countBody(exchange: Exchange, bytesMax: number): void {
  const { request } = exchange
  const emit = request.emit.bind(request) as Emit
  const status = statusFor(exchange)
  let bytes = 0
  request.emit = (name: string | symbol, ...values: unknown[]): boolean => {
    if (name === 'data') {
      const before = bytes
      bytes += Buffer.byteLength(values[0] as Buffer)
      if (before <= bytesMax && bytes > bytesMax) cutOff(exchange, status, emit)
    }
    if (bytes > bytesMax && (name === 'data' || name === 'end')) return false
    return emit(name, ...values)
  }
}

type Emit = (name: string | symbol, ...values: unknown[]) => boolean

function cutOff(exchange: Exchange, status: number, emit: Emit): void {
  const { request, response } = exchange
  if (response.headersSent) response.destroy()
  else exchange.exit(status, MESSAGE)
  // Whatever the service still says of this request, the client has its answer.
  response.abandoned = true
  exchange.upstreamWork?.abort()
  if (request.listenerCount('error') > 0) emit('error', new Error(MESSAGE))
  // What is still to come flows into nothing, so that the connection can carry the next request.
  request.resume()
}
