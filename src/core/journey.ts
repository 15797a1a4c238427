import type { AnyEventType, EventType } from './event.ts'

/**
 * What somebody waits for from beginning to end, over services and processes, such as "order placed to shipped".
 * Telemetry shows how long it takes, as it does for routes.
 */
export type JourneyDeclaration = {
  readonly name: string
  /** The event that ends it. */
  readonly endsWith: AnyEventType
  /** When the journey that this event ends began, Unix epoch milliseconds; undefined when it is not known. */
  readonly startedAtMs: (payload: never) => number | undefined
}

/**
 * Declares a journey by the event that ends it: `journey('order placed to shipped', { endsWith: ShipmentDispatched,
 * startedAtMs: (shipment) => timeOfId(shipment.orderId) })`. It is measured where that event is written, from
 * `startedAtMs` to then, once per event that is committed: nothing has to be remembered in between, so the services in
 * between may be in any process, and be restarted meanwhile.
 */
export function journey<Payload>(
  name: string,
  options: { readonly endsWith: EventType<Payload>; readonly startedAtMs: (payload: Payload) => number | undefined },
): JourneyDeclaration {
  return { name, endsWith: options.endsWith, startedAtMs: options.startedAtMs }
}
