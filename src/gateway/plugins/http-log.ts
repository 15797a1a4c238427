import { headerName } from '../config/field-types.ts'
import { type Field, httpProtocols, type PluginSchema } from '../config/schema.ts'
import { type QueueConfig, queueField } from './delivery-queue.ts'
import { logEntryOf } from './log-entry.ts'
import type { PluginDefinition } from './plugin.ts'
import { Receiver, shownUrl, urlError } from './receiver.ts'

/**
 * Sends a JSON entry for each request to an HTTP server: one by one, or as lists when batches are larger than one.
 * Requests never wait for it. Source: Kong 3.9, `kong/plugins/http-log`.
 */
type Config = {
  readonly http_endpoint: string
  readonly method: 'POST' | 'PUT' | 'PATCH'
  readonly content_type: string
  readonly timeout: number
  readonly keepalive: number
  readonly headers: Readonly<Record<string, string>> | null
  readonly queue: QueueConfig
}

/** Lua would run in Kong; here it is refused rather than ignored. */
export const customFields: Field = { type: 'map', eq: null, description: 'Not available here: there is no Lua.' }

const schema: PluginSchema = {
  name: 'http-log',
  fields: [
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          {
            http_endpoint: {
              type: 'string',
              required: true,
              custom_validator: urlError,
              description: 'Where entries are sent; user and password in it become basic authentication.',
            },
          },
          { method: { type: 'string', default: 'POST', one_of: ['POST', 'PUT', 'PATCH'], description: 'The method.' } },
          {
            content_type: {
              type: 'string',
              default: 'application/json',
              one_of: ['application/json', 'application/json; charset=utf-8'],
              description: 'Type that is sent with it.',
            },
          },
          { timeout: { type: 'number', default: 10_000, gt: 0, description: 'Milliseconds for one attempt.' } },
          {
            keepalive: {
              type: 'number',
              default: 60_000,
              gt: 0,
              description: 'Milliseconds an idle connection is kept.',
            },
          },
          { headers: { type: 'map', keys: headerName, values: { type: 'string' }, description: 'Further headers.' } },
          { queue: queueField({ batchSize: 1 }) },
          { custom_fields_by_lua: customFields },
        ],
      },
    },
  ],
}

export const httpLog: PluginDefinition = {
  name: 'http-log',
  version: '3.9.1',
  priority: 12,
  schema,
  create(raw, scope) {
    const { queue, http_endpoint: url, method, content_type, timeout, keepalive, headers } = raw as Config
    const receiver = scope.keep(() => new Receiver())
    const target = {
      url,
      method,
      headers: { 'content-type': content_type, ...headers },
      timeoutMs: timeout,
      idleMs: keepalive,
    }
    receiver.queue.configure({
      queue,
      name: `http-log to ${shownUrl(url)}`,
      send: (entries) => receiver.send(queue.max_batch_size === 1 ? (entries[0] ?? '') : `[${entries.join()}]`, target),
    })
    return {
      tellsAttempts: true,
      log: (exchange, outcome) => receiver.queue.add(JSON.stringify(logEntryOf(exchange, outcome))),
    }
  },
}
