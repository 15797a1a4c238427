import { messageOf } from '../core/index.ts'
import type { Cluster } from '../data/index.ts'
import type { Consumer } from './consumer.ts'
import { eventsError } from './errors.ts'
import { CALL_CONCURRENCY_MAX, CALL_TIMEOUT_MS } from './limits.ts'
import type { Item } from './plan.ts'

export type CallOptions = {
  readonly cluster: Cluster
  /** Aborts when the process stops. */
  readonly signal: AbortSignal
}

/**
 * Makes the external calls of these items and notes what came of each in its `outcome`. Calls of one key run in order,
 * and end with the first that fails; different keys run side by side. Never rejects because of a call.
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
  const underWay = new Set<AbortController>()
  const abortAll = () => {
    for (const controller of underWay) controller.abort(options.signal.reason)
  }
  options.signal.addEventListener('abort', abortAll, { once: true })
  try {
    const waiting = chains.values()
    const lanes = Array.from({ length: Math.min(CALL_CONCURRENCY_MAX, chains.size) }, async () => {
      for (const chain of waiting) await callInOrder(chain, underWay, options)
    })
    await Promise.all(lanes)
  } finally {
    options.signal.removeEventListener('abort', abortAll)
  }
}

async function callInOrder(
  chain: readonly Item[],
  underWay: Set<AbortController>,
  options: CallOptions,
): Promise<void> {
  for (const item of chain) {
    const { call } = item.consumer
    if (call === undefined) continue
    options.signal.throwIfAborted()
    const controller = new AbortController()
    underWay.add(controller)
    try {
      item.outcome = { kind: 'ready', result: await callOnce(call, item, { controller, cluster: options.cluster }) }
    } catch (error) {
      if (options.signal.aborted) throw error
      item.outcome = { kind: 'failed', state: 'retrying', error: messageOf(error) }
      return
    } finally {
      underWay.delete(controller)
    }
  }
}

async function callOnce(
  call: NonNullable<Consumer['call']>,
  item: Item,
  { controller, cluster }: { readonly controller: AbortController; readonly cluster: Cluster },
): Promise<unknown> {
  const { topic, envelope } = item.event
  const { signal } = controller
  // The call may ignore its signal; it is not waited for any longer than it is given.
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  const timer = setTimeout(() => {
    controller.abort(
      eventsError('EVENTS_CALL_TIMEOUT', `the call for ${topic} ${envelope.id} took over ${CALL_TIMEOUT_MS} ms`),
    )
  }, CALL_TIMEOUT_MS)
  try {
    return await Promise.race([call(envelope, { signal, cluster }), aborted])
  } finally {
    clearTimeout(timer)
  }
}
