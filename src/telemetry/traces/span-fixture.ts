import type { Span } from '../view.ts'

/** A span for tests, with what matters to them. */
export function spanFixture(given: Partial<Span> = {}): Span {
  return {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    parentSpanId: undefined,
    name: 'payment-service order.placed',
    service: 'payment-service',
    kind: 'consumer',
    startedAtMs: 1_000,
    durationMs: 1,
    failed: false,
    attributes: {},
    ...given,
  }
}
