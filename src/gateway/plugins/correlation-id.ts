import { randomUUID } from 'node:crypto'
import { systemClock } from '../../core/index.ts'
import { headerName as headerNameField } from '../config/field-types.ts'
import { httpProtocols, type PluginSchema } from '../config/schema.ts'
import { type Exchange, headerName } from '../exchange.ts'
import type { PluginDefinition } from './plugin.ts'

/** Gives every request an id in a header, or keeps the one it has. Source: Kong 3.9, `kong/plugins/correlation-id`. */
type Config = {
  readonly header_name: string
  readonly generator: keyof typeof generators
  readonly echo_downstream: boolean
}

const schema: PluginSchema = {
  name: 'correlation-id',
  fields: [
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          {
            header_name: {
              ...headerNameField,
              default: 'Kong-Request-ID',
              description: 'The HTTP header name to use for the correlation ID.',
            },
          },
          {
            generator: {
              type: 'string',
              default: 'uuid#counter',
              required: true,
              one_of: ['uuid', 'uuid#counter', 'tracker'],
              description: 'The generator to use for the correlation ID.',
            },
          },
          {
            echo_downstream: {
              type: 'boolean',
              required: true,
              default: false,
              description: 'Whether to echo the header back to downstream (the client).',
            },
          },
        ],
      },
    },
  ],
}

export const correlationId: PluginDefinition = {
  name: 'correlation-id',
  version: '3.9.1',
  priority: 100_001,
  schema,
  create(raw) {
    const config = raw as Config
    const name = headerName(config.header_name)
    const generate = generators[config.generator]
    const identify = (exchange: Exchange): string => {
      const given = exchange.headers[name.key]
      if (typeof given === 'string' && given !== '') return given
      const id = generate(exchange)
      exchange.headers[name.key] = id
      return id
    }
    return {
      access(exchange) {
        identify(exchange)
        return undefined
      },
      ...(config.echo_downstream ? { header: (exchange) => exchange.setReplyHeader(name, identify(exchange)) } : {}),
    }
  },
}

const processId = randomUUID()
let count = 0
let connections = 0
const connectionNumbers = new WeakMap<object, { readonly number: number; requests: number }>()

const generators = {
  uuid: () => randomUUID(),
  'uuid#counter': () => `${processId}#${++count}`,
  tracker,
}

/** Address, port, process, connection, its requests so far, and the time in seconds. */
function tracker({ request: { socket } }: Exchange): string {
  const connection = connectionNumbers.get(socket) ?? { number: ++connections, requests: 0 }
  connection.requests += 1
  connectionNumbers.set(socket, connection)
  const place = `${socket.localAddress}-${socket.localPort}-${process.pid}`
  return `${place}-${connection.number}-${connection.requests}-${(systemClock.now() / 1000).toFixed(3)}`
}
