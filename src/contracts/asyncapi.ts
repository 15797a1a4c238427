import { type AnyEventType, type App, readableVersions } from '../core/index.ts'
import { sentSchema } from './json-schema.ts'

export type Document = { readonly [member: string]: unknown }

/**
 * An application's events as an AsyncAPI 3.0 document: a channel for each topic, a message for each version that is
 * written or read, and who sends and receives what. Its own messages are structured CloudEvents: `data` is the payload.
 * Source: AsyncAPI 3.0.0, and CloudEvents 1.0.2.
 */
export function asyncApiOf(app: App, options: { readonly version: string }): Document {
  const written = app.services.flatMap((service) => service.emits)
  const read = app.services.flatMap((service) => service.consumers.map(({ event }) => event))
  const types = [
    ...new Map([...written, ...read].flatMap(readableVersions).map((type) => [nameOf(type), type])).values(),
  ]
  types.sort((a, b) => (a.name === b.name ? a.version - b.version : a.name < b.name ? -1 : 1))
  const topics = Map.groupBy(types, ({ name }) => name)
  return {
    asyncapi: '3.0.0',
    info: { title: app.name, version: options.version },
    defaultContentType: 'application/cloudevents+json',
    channels: Object.fromEntries([...topics].map(([topic, versions]) => [topic, channelOf(topic, versions)])),
    operations: Object.fromEntries(app.services.flatMap(operationsOf)),
    components: { messages: Object.fromEntries(types.map((type) => [nameOf(type), messageOf(type)])) },
  }
}

function channelOf(topic: string, versions: readonly AnyEventType[]) {
  const messages = versions.map((type) => [nameOf(type), { $ref: `#/components/messages/${nameOf(type)}` }])
  return { address: topic, messages: Object.fromEntries(messages) }
}

type Service = App['services'][number]

function operationsOf({ name, summary, emits, consumers }: Service): readonly (readonly [string, Document])[] {
  const about = summary === undefined ? {} : { summary }
  const sends = emits.map(
    (type) => [`${name}.sends.${nameOf(type)}`, { ...operation('send', [type]), ...about }] as const,
  )
  const receives = consumers.map(({ event }) => {
    return [`${name}.receives.${event.name}`, { ...operation('receive', readableVersions(event)), ...about }] as const
  })
  return [...sends, ...receives]
}

function operation(action: 'send' | 'receive', types: readonly AnyEventType[]): Document {
  const [first] = types
  const channel = `#/channels/${first?.name}`
  return {
    action,
    channel: { $ref: channel },
    messages: types.map((type) => ({ $ref: `${channel}/messages/${nameOf(type)}` })),
  }
}

function messageOf(type: AnyEventType): Document {
  const name = nameOf(type)
  return {
    name,
    title: `${type.name}, version ${type.version}`,
    contentType: 'application/cloudevents+json',
    payload: {
      type: 'object',
      required: ['specversion', 'id', 'source', 'type', 'data'],
      properties: {
        specversion: { const: '1.0' },
        id: { type: 'string', format: 'uuid', description: 'The same however often the event is delivered.' },
        source: { type: 'string', format: 'uri-reference' },
        type: { const: type.name },
        dataversion: { const: type.version, description: 'Version of the schema of `data`.' },
        subject: { type: 'string', description: 'The key: events of one key are delivered in order.' },
        time: { type: 'string', format: 'date-time' },
        datacontenttype: { const: 'application/json' },
        dataschema: { type: 'string', format: 'uri' },
        traceparent: { type: 'string' },
        data: sentSchema(type.schema, name),
      },
    },
  }
}

function nameOf({ name, version }: AnyEventType): string {
  return `${name}.v${version}`
}
