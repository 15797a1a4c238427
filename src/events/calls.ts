import { childTraceparent, type EventEnvelope } from '../core/index.ts'
import type { Cluster } from '../data/index.ts'
import { called } from './channels.ts'
import type { Consumer } from './consumer.ts'
import { eventsError, isInfrastructure } from './errors.ts'
import { CALL_CONCURRENCY_MAX, CALL_TIMEOUT_MS } from './limits.ts'
import { envelopeFor, type Item } from './plan.ts'

export type CallOptions = {
  readonly group: string
  readonly cluster: Cluster
  /** Aborts when the process stops. */
  readonly signal: AbortSignal
}

/**
 * Makes the external calls of these items and notes what came of each in its `outcome`. Calls of one key run in order,
 * and end with the first that fails; different keys run side by side. Rejects
 * for what is no event's fault, once no call is under way any more.
 */
export async function makeCalls(items: readonly Item[], options: CallOptions): Promise<void> {
  const chains = new Map<string, Item[]>()
  for (const item of items) {
    if (item.consumer.call === undefined || item.outcome.kind === 'failed') continue
    const { key } = item.event.envelope
    const chain = chains.get(key)
    if (chain === undefined) chains.set(key, [item])
    else chain.push(item)
  }
  if (chains.size === 0) return
  const waiting = chains.values()
  // The most modest of the batch's consumers sets the number for all of them: they are of one group.
  const callsMax = items.reduce((max, { consumer }) => Math.min(max, consumer.callsMax), CALL_CONCURRENCY_MAX)
  const lanes = Array.from({ length: Math.min(callsMax, chains.size) }, async () => {
    const lane = new Lane(options)
    try {
      for (const chain of waiting) await callInOrder(chain, lane, options.signal)
    } finally {
      lane.close()
    }
  })
  for (const lane of await Promise.allSettled(lanes)) if (lane.status === 'rejected') throw lane.reason
}

async function callInOrder(chain: readonly Item[], lane: Lane, stop: AbortSignal): Promise<void> {
  for (const item of chain) {
    const { call } = item.consumer
    if (call === undefined) continue
    stop.throwIfAborted()
    try {
      item.outcome = { kind: 'ready', result: await traceCall(lane, call, item) }
    } catch (error) {
      if (stop.aborted || isInfrastructure(error)) throw error
      item.outcome = { kind: 'failed', state: 'retrying', error }
      return
    }
  }
}

/** Runs the call, and tells of it if its event's trace is kept. */
async function traceCall(lane: Lane, call: NonNullable<Consumer['call']>, item: Item): Promise<unknown> {
  if (item.span === undefined) return lane.run(call, item.event.envelope, item)
  const { traceparent: parent } = item.span
  const envelope = { ...envelopeFor(item), traceparent: childTraceparent(parent) }
  const startedAtMs = performance.now()
  let failed = true
  try {
    const result = await lane.run(call, envelope, item)
    failed = false
    return result
  } finally {
    const { type: topic, traceparent } = envelope
    const durationMs = performance.now() - startedAtMs
    called.publish({ group: lane.group, topic, traceparent, parent, durationMs, failed })
  }
}

/** One call after another, each with its time limit. A signal serves all calls until one of them is aborted. */
class Lane {
  private readonly options: CallOptions
  private readonly onStop = () => this.controller.abort(this.options.signal.reason)
  private controller = new AbortController()
  private aborted = rejectionOf(this.controller.signal)

  constructor(options: CallOptions) {
    this.options = options
    options.signal.addEventListener('abort', this.onStop, { once: true })
  }

  get group(): string {
    return this.options.group
  }

  async run(
    call: NonNullable<Consumer['call']>,
    envelope: EventEnvelope,
    { isReplay = false }: Pick<Item, 'isReplay'>,
  ): Promise<unknown> {
    if (this.controller.signal.aborted) {
      this.controller = new AbortController()
      this.aborted = rejectionOf(this.controller.signal)
    }
    const { controller, aborted } = this
    const timer = setTimeout(() => {
      const message = `the call for ${envelope.type} ${envelope.id} took over ${CALL_TIMEOUT_MS} ms`
      controller.abort(eventsError('EVENTS_CALL_TIMEOUT', message))
    }, CALL_TIMEOUT_MS)
    try {
      // The call may ignore its signal; it is not waited for any longer than it is given.
      const { cluster } = this.options
      return await Promise.race([call(envelope, { signal: controller.signal, cluster, isReplay }), aborted])
    } finally {
      clearTimeout(timer)
    }
  }

  close(): void {
    this.options.signal.removeEventListener('abort', this.onStop)
  }
}

function rejectionOf(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  // Raced only while a call runs: an abort after the last one is nobody's failure.
  promise.catch(() => undefined)
  signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  return promise
}
