import type { EventEnvelope } from '../core/index.ts'

/**
 * An event in the structured JSON form of CloudEvents: `JSON.stringify` of it is the body of a message with the media
 * type {@link CLOUD_EVENT_MEDIA_TYPE}. Source: CloudEvents 1.0.2, its JSON event format, and the extension for
 * distributed tracing. `dataversion` is an extension of ours; broker-record.ts has the same as a header.
 */
export type CloudEvent<Payload = unknown> = {
  readonly specversion: '1.0'
  /** With `source` it names the event: the same however often it is delivered. */
  readonly id: string
  readonly source: string
  readonly type: string
  /** The key: events of one key are delivered in order. */
  readonly subject: string
  /** RFC 3339, to the millisecond. */
  readonly time: string
  readonly datacontenttype: 'application/json'
  readonly dataschema?: string
  /** Version of the event's type. */
  readonly dataversion: number
  /** Absent when nobody traced what wrote the event. */
  readonly traceparent?: string
  readonly data: Payload
}

export const CLOUD_EVENT_MEDIA_TYPE = 'application/cloudevents+json; charset=utf-8'

/**
 * Makes a CloudEvent of an event. `source` is a URI reference that names who writes it, e.g. `/shop/order-service`;
 * `dataSchema` an absolute URI of its JSON Schema, where it is published.
 */
export function toCloudEvent<Payload>(
  event: EventEnvelope<Payload>,
  about: { readonly source: string; readonly dataSchema?: string },
): CloudEvent<Payload> {
  return {
    specversion: '1.0',
    id: event.id,
    source: about.source,
    type: event.type,
    subject: event.key,
    time: new Date(event.occurredAtMs).toISOString(),
    datacontenttype: 'application/json',
    ...(about.dataSchema === undefined ? {} : { dataschema: about.dataSchema }),
    dataversion: event.version,
    ...(event.traceparent === '' ? {} : { traceparent: event.traceparent }),
    data: event.payload,
  }
}
