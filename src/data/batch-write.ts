import { delay, GroundswellError, jittered } from '../core/index.ts'
import { batchFacts } from './channels.ts'
import type { BatchWrite, Transaction } from './database.ts'
import { dataError } from './errors.ts'
import {
  BATCH_ATTEMPTS_MAX,
  BATCH_BACKOFF_MS,
  BATCH_MAX,
  BATCH_QUEUE_MAX,
  BATCH_WAIT_MAX_MS,
  BATCHES_IN_FLIGHT_MAX,
} from './limits.ts'
import type { ErrorPlace } from './sql-error.ts'

type RunTransaction = <T>(run: (tx: Transaction) => Promise<T>) => Promise<T>

type Waiting<Input, Output> = {
  readonly input: Input
  readonly sinceMs: number
  readonly resolve: (output: Output) => void
  readonly reject: (error: unknown) => void
}

/**
 * Group commit for one operation on one shard. While BATCHES_IN_FLIGHT_MAX transactions are under way, arriving inputs
 * wait; when one ends, those that wait go together. Nothing is delayed on purpose: an input that finds no transaction
 * under way goes at once.
 *
 * Each input: waiting → in a batch → answered, or (the batch failed) alone in ever smaller batches → answered or
 * rejected. None is begun once it has waited BATCH_WAIT_MAX_MS: after a stall the queue is full of inputs whose clients
 * have gone, or were told that they failed.
 */
export class BatchQueue<Input, Output> {
  readonly #operation: BatchWrite<Input, Output>
  readonly #place: ErrorPlace
  readonly #transaction: RunTransaction
  #waiting: Waiting<Input, Output>[] = []
  #underWay = 0
  #scheduled = false

  constructor(operation: BatchWrite<Input, Output>, place: ErrorPlace, transaction: RunTransaction) {
    this.#operation = operation
    this.#place = place
    this.#transaction = transaction
  }

  add(input: Input): Promise<Output> {
    if (this.#waiting.length >= BATCH_QUEUE_MAX) {
      return Promise.reject(this.#overloaded(`${BATCH_QUEUE_MAX} already wait`))
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ input, sinceMs: performance.now(), resolve, reject })
      this.#schedule()
    })
  }

  /** At the end of this turn of the event loop, so that inputs of one turn share a transaction. */
  #schedule(): void {
    if (this.#scheduled || this.#underWay >= (this.#operation.inFlightMax ?? BATCHES_IN_FLIGHT_MAX)) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#next()
    })
  }

  #next(): void {
    this.#waiting = this.#withoutLate(this.#waiting)
    if (this.#waiting.length === 0) return
    const batch = this.#waiting.splice(0, this.#operation.batchMax ?? BATCH_MAX)
    this.#underWay += 1
    void this.#run(batch).finally(() => {
      this.#underWay -= 1
      if (this.#waiting.length > 0) this.#schedule()
    })
    if (this.#waiting.length > 0) this.#schedule()
  }

  /** Answers every input of the batch; never rejects. */
  async #run(batch: readonly Waiting<Input, Output>[]): Promise<void> {
    const startedAt = performance.now()
    try {
      const outputs = await this.#attempt(batch)
      this.#publish('committed', batch.length, startedAt)
      for (const [index, output] of outputs.entries()) batch[index]?.resolve(output)
    } catch (error) {
      this.#publish('failed', batch.length, startedAt)
      if (batch.length === 1 || isShared(error)) return rejectAll(batch, error)
      const middle = batch.length >> 1
      await this.#runHalf(batch.slice(0, middle))
      await this.#runHalf(batch.slice(middle))
    }
  }

  async #runHalf(half: Waiting<Input, Output>[]): Promise<void> {
    const inTime = this.#withoutLate(half)
    if (inTime.length > 0) await this.#run(inTime)
  }

  /** Rejects the inputs that have waited too long. They came in order, so those are the first. */
  #withoutLate(waiting: Waiting<Input, Output>[]): Waiting<Input, Output>[] {
    if (!isLate(waiting)) return waiting
    const firstInTime = waiting.findIndex((input) => !isLate([input]))
    const late = firstInTime === -1 ? waiting : waiting.slice(0, firstInTime)
    rejectAll(late, this.#overloaded(`an input waited for more than ${BATCH_WAIT_MAX_MS} ms`))
    return waiting.slice(late.length)
  }

  #overloaded(reason: string): unknown {
    const where = `shard ${this.#place.shard} (${this.#place.label})`
    return dataError('DATA_OVERLOADED', `${this.#operation.name} on ${where}: ${reason}`)
  }

  /** Runs the batch, again after a pause while the reason is transient and somebody may still wait for it. */
  async #attempt(batch: readonly Waiting<Input, Output>[]): Promise<readonly Output[]> {
    const inputs = batch.map((waiting) => waiting.input)
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#transaction((tx) => this.#runChecked(tx, inputs))
      } catch (error) {
        if (attempt >= BATCH_ATTEMPTS_MAX || !isTransient(error)) throw error
        await delay(jittered(BATCH_BACKOFF_MS * 2 ** (attempt - 1)))
        if (isLate(batch)) throw error
      }
    }
  }

  /** Within the transaction, so that outputs which cannot be told apart are rolled back and not half believed. */
  async #runChecked(tx: Transaction, inputs: readonly Input[]): Promise<readonly Output[]> {
    const outputs = await this.#operation.run(tx, inputs)
    if (outputs.length === inputs.length) return outputs
    throw new Error(`${this.#operation.name} answered ${outputs.length} outputs for ${inputs.length} inputs`)
  }

  #publish(outcome: 'committed' | 'failed', inputs: number, startedAt: number): void {
    if (!batchFacts.hasSubscribers) return
    const ms = performance.now() - startedAt
    batchFacts.publish({ shard: this.#place.shard, operation: this.#operation.name, outcome, inputs, ms })
  }
}

const TRANSIENT = new Set(['DATA_CONNECTION_LOST', 'DATA_CONFLICT', 'DATA_UNREACHABLE'])
/**
 * After an unknown outcome nothing may be repeated; for lack of connections, smaller transactions only ask for more; a
 * statement that took its whole time would, in halves, hold up the shard for minutes.
 */
const FINAL = new Set(['DATA_COMMIT_UNKNOWN', 'DATA_POOL_EXHAUSTED', 'DATA_CLOSED', 'DATA_STATEMENT_TIMEOUT'])
/**
 * Classes of SQLSTATE that come from the statement or the server, not from an input: bad SQL (42), out of resources
 * (53).
 */
const STATEMENT_FAULT = /^(42|53|58|XX)/

/** Whether the same batch may succeed after a pause: nothing was written, and nobody's input is to blame. */
function isTransient(error: unknown): boolean {
  return error instanceof GroundswellError && TRANSIENT.has(error.code)
}

/** Reasons that every input shares: halves would meet them too. */
function isShared(error: unknown): boolean {
  if (!(error instanceof GroundswellError)) return false
  return (
    TRANSIENT.has(error.code) || FINAL.has(error.code) || STATEMENT_FAULT.test(String(error.details.sqlState ?? ''))
  )
}

/** Whether the first of these inputs, which is the oldest, has waited too long. */
function isLate([first]: readonly { readonly sinceMs: number }[]): boolean {
  return first !== undefined && performance.now() - first.sinceMs > BATCH_WAIT_MAX_MS
}

function rejectAll(batch: readonly { reject(error: unknown): void }[], error: unknown): void {
  for (const waiting of batch) waiting.reject(error)
}
