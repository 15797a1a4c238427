import { traceIdOf } from '../../core/index.ts'
import type { TelemetryView } from '../../telemetry/index.ts'
import { PAYLOAD_CHARS_MAX } from '../limits.ts'
import type { ParkedEvent } from './events-port.ts'

/** A dead letter as the console shows it. Times are milliseconds since the Unix epoch. */
export type ShownDeadLetter = Omit<ParkedEvent, 'payload' | 'traceparent' | 'firstFailedAt' | 'lastFailedAt'> & {
  /** JSON for people, cut off when it is long. */
  readonly payload: string
  readonly isPayloadCut: boolean
  /** Of the trace, while telemetry keeps it. */
  readonly traceId: string | undefined
  readonly firstFailedAtMs: number
  readonly lastFailedAtMs: number
}

export function shownDeadLetter(event: ParkedEvent, view: TelemetryView): ShownDeadLetter {
  const { payload, traceparent, firstFailedAt, lastFailedAt, ...same } = event
  const text = JSON.stringify(payload, undefined, 2)
  const traceId = traceIdOf(traceparent)
  return {
    ...same,
    payload: text.slice(0, PAYLOAD_CHARS_MAX),
    isPayloadCut: text.length > PAYLOAD_CHARS_MAX,
    traceId: view.trace(traceId).length > 0 ? traceId : undefined,
    firstFailedAtMs: firstFailedAt.getTime(),
    lastFailedAtMs: lastFailedAt.getTime(),
  }
}
