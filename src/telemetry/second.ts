import { z } from 'zod'
import { isEncodedHistogram } from './histogram.ts'
import type { EncodedHistogram } from './histogram-encoding.ts'
import { DEGRADATIONS_MAX, SECOND_BYTES_MAX } from './limits.ts'
import type { Degradation, InstanceSample, LagSample } from './view.ts'

/**
 * What was measured in one second: by one process when it seals it, or by all of them when they are merged. Lists hold
 * only what had something to tell. Histograms are in microseconds, encoded: `new Histogram().add(…)` reads one.
 */
export type Second = {
  /** End of the second, a multiple of 1,000, milliseconds since the Unix epoch. */
  readonly atMs: number
  /** Requests through the gateway, from the first byte to the end of the answer. Undefined without one. */
  readonly all: EncodedHistogram | undefined
  readonly routes: readonly RouteSecond[]
  readonly journeys: readonly JourneySecond[]
  readonly services: readonly ServiceSecond[]
  readonly shards: readonly ShardSecond[]
  /** One for each process that has sealed this second. */
  readonly instances: readonly InstanceSample[]
  /** Of one process only, the one that asks the databases for it. */
  readonly lag: readonly LagSample[]
  /** Requests through the gateway by what they were for and whom they came from. */
  readonly traffic: readonly TrafficSecond[]
  readonly rejections: readonly RejectionSecond[]
  /** What worked worse than it should at the end of the second, of each process. */
  readonly degradations: readonly DegradationSecond[]
}

/** What the gateway's traffic is told apart by. */
export type TrafficKind = 'service' | 'route' | 'consumer'

/** Requests for one service or route, or from one consumer, of the gateway. */
export type TrafficSecond = {
  readonly kind: TrafficKind
  /** Of the entity in the gateway's configuration; empty for requests that have none. */
  readonly id: string
  /** Of a service, as its configuration calls it; empty otherwise. */
  readonly name: string
  readonly latency: EncodedHistogram
  /** Answers by their status. */
  readonly statuses: Readonly<Record<string, number>>
}

/** Requests that one plugin, by its id, answered with an error in place of the service. */
export type RejectionSecond = { readonly plugin: string; readonly requests: number }

/** A part of one process, by its instance, that works worse than it should. */
export type DegradationSecond = Degradation & { readonly instance: string }

/** Requests that a service answered, wherever they came from. */
export type RouteSecond = {
  readonly service: string
  /** `POST /orders` */
  readonly route: string
  readonly latency: EncodedHistogram
  /** Answers of status 500 and more. */
  readonly errors: number
}

/** Ends of a journey, with the time since its beginning. */
export type JourneySecond = { readonly journey: string; readonly latency: EncodedHistogram }

export type ServiceSecond = {
  readonly service: string
  readonly requests: number
  /** Events whose effects its consumers committed. */
  readonly events: number
  /** Of each batch of events: from when its oldest was written until its effects were committed. */
  readonly deliveryAge: EncodedHistogram | undefined
  readonly httpErrors: number
  readonly applicationErrors: number
  readonly databaseErrors: number
}

export type ShardSecond = {
  readonly shard: number
  readonly transactions: EncodedHistogram | undefined
  readonly transactionsFailed: number
  /** Statements, of transactions and by themselves. */
  readonly statements: EncodedHistogram | undefined
  /** Events that moved from the outbox to the log. */
  readonly appended: number
  readonly connectionsBusy: number
  readonly connectionsMax: number
  readonly waiting: number
}

/** JSON: `{ "version": 1, "second": … }`, histograms in base64, `null` where there is none. */
export function encodeSecond(second: Second): Uint8Array {
  return Buffer.from(JSON.stringify({ version: 1, second }, withHistogramsAsText))
}

function withHistogramsAsText(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : (value ?? null)
}

/** Undefined for what another version of the application sent in another form, or is none. */
export function decodeSecond(payload: Uint8Array): Second | undefined {
  if (payload.byteLength > SECOND_BYTES_MAX) return undefined
  const parsed = Message.safeParse(jsonOf(payload))
  return parsed.success ? parsed.data.second : undefined
}

function jsonOf(payload: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(payload).toString()) as unknown
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const count = z.number().nonnegative()
const histogram = z
  .base64()
  .transform((text): EncodedHistogram => new Uint8Array(Buffer.from(text, 'base64')))
  .refine(isEncodedHistogram)
const maybeHistogram = histogram.nullable().transform((value) => value ?? undefined)

const instance = z.object({
  instance: z.string(),
  services: z.array(z.string()),
  cpuPercent: count,
  memoryBytes: count,
  eventLoopDelayMs: count,
  eventLoopUtilization: count,
  diskReadBytes: count,
  diskWriteBytes: count,
  networkInBytes: count,
  networkOutBytes: count,
})

const Message = z.object({
  version: z.literal(1),
  second: z.object({
    atMs: z.int().positive(),
    all: maybeHistogram,
    routes: z.array(z.object({ service: z.string(), route: z.string(), latency: histogram, errors: count })),
    journeys: z.array(z.object({ journey: z.string(), latency: histogram })),
    services: z.array(
      z.object({
        service: z.string(),
        requests: count,
        events: count,
        deliveryAge: maybeHistogram,
        httpErrors: count,
        applicationErrors: count,
        databaseErrors: count,
      }),
    ),
    shards: z.array(
      z.object({
        shard: z.int(),
        transactions: maybeHistogram,
        transactionsFailed: count,
        statements: maybeHistogram,
        appended: count,
        connectionsBusy: count,
        connectionsMax: count,
        waiting: count,
      }),
    ),
    instances: z.array(instance),
    lag: z.array(
      z.object({
        topic: z.string(),
        group: z.string(),
        messages: count,
        seconds: count,
        // A process of the version before does not tell them.
        writtenPerSecond: count.default(0),
        consumedPerSecond: count.default(0),
      }),
    ),
    // A process of the version before does not tell them.
    traffic: z
      .array(
        z.object({
          kind: z.enum(['service', 'route', 'consumer']),
          id: z.string(),
          // A process of the version before does not tell it.
          name: z.string().default(''),
          latency: histogram,
          statuses: z.record(z.string().regex(/^\d{3}$/), count),
        }),
      )
      .default([]),
    rejections: z.array(z.object({ plugin: z.string(), requests: count })).default([]),
    // Nor these.
    degradations: z
      .array(z.object({ instance: z.string(), part: z.string(), message: z.string(), sinceMs: count }))
      .transform((all) => all.slice(0, DEGRADATIONS_MAX))
      .default([]),
  }),
})
