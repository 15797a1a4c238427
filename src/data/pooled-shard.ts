import pg from 'pg'
import { GroundswellError, messageOf, type StopOptions, untilDeadline } from '../core/index.ts'
import { BatchQueue } from './batch-write.ts'
import {
  type ConnectionStats,
  type Connections,
  clientConfig,
  endClient,
  labelOf,
  openConnections,
} from './connection.ts'
import type { BatchWrite, Row, Shard, Transaction } from './database.ts'
import { dataError } from './errors.ts'
import { breaksConnection, type ErrorPlace, toDataError, unknownOutcome, wasNeverSent } from './sql-error.ts'
import { runStatement, runTransaction } from './transaction.ts'

export type ShardOptions = {
  readonly url: string
  readonly index: number
  /** Most connections. */
  readonly max: number
  readonly applicationName: string
}

/**
 * One database with its connections. After `close` it finishes what it had accepted and refuses the rest by
 * DATA_CLOSED.
 */
export class PooledShard implements Shard {
  readonly index: number
  readonly label: string
  readonly url: string
  readonly place: ErrorPlace
  readonly #connections: Connections
  readonly #queues = new WeakMap<object, unknown>()
  #accepted = 0
  #isClosing = false
  #becomeIdle: (() => void) | undefined

  constructor({ url, index, max, applicationName }: ShardOptions) {
    this.url = url
    this.index = index
    this.label = labelOf(url)
    this.place = { shard: index, label: this.label }
    this.#connections = openConnections({ url, max, applicationName, place: this.place })
  }

  query<R extends object = Row>(text: string, values?: readonly unknown[]): Promise<readonly R[]> {
    return this.#accept(async () => {
      const client = await this.#connections.acquire()
      try {
        const rows = await runStatement(client, this.place, { text, values })
        client.release()
        return rows as readonly unknown[] as readonly R[]
      } catch (error) {
        client.release(breaksConnection(error))
        const known = toDataError(error, this.place)
        throw mayHaveWritten(text, error) && isLost(known) ? unknownOutcome(this.place, error) : known
      }
    })
  }

  transaction<T>(run: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#accept(() => runTransaction(this.#connections, this.place, run))
  }

  write<Input, Output>(operation: BatchWrite<Input, Output>, input: Input): Promise<Output> {
    return this.#accept(() => this.#queueOf(operation).add(input))
  }

  /** What is wrong with the database, if it does not answer. */
  async ping(timeoutMs: number): Promise<string | undefined> {
    const client = new pg.Client({
      ...clientConfig({ url: this.url, applicationName: 'groundswell-ping' }),
      connectionTimeoutMillis: timeoutMs,
    })
    client.on('error', () => {})
    try {
      await client.connect()
      await endClient(client)
      return undefined
    } catch (error) {
      return `shard ${this.index} (${this.label}) does not answer: ${messageOf(error)}`
    }
  }

  stats(): ConnectionStats {
    return this.#connections.stats()
  }

  async close(options: StopOptions): Promise<void> {
    this.#isClosing = true
    const idle = new Promise<void>((resolve) => {
      this.#becomeIdle = resolve
    })
    if (this.#accepted > 0) await untilDeadline(idle, options)
    await this.#connections.close(options)
  }

  /** By identity: an operation is declared once, and inputs of one declaration go together. */
  #queueOf<Input, Output>(operation: BatchWrite<Input, Output>): BatchQueue<Input, Output> {
    const known = this.#queues.get(operation) as BatchQueue<Input, Output> | undefined
    if (known !== undefined) return known
    // Past `#accept`: what was accepted before closing still gets its transaction.
    const queue = new BatchQueue(operation, this.place, (run) => runTransaction(this.#connections, this.place, run))
    this.#queues.set(operation, queue)
    return queue
  }

  async #accept<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosing) {
      throw dataError('DATA_CLOSED', `shard ${this.index} (${this.label}) is closed: this process is stopping`)
    }
    this.#accepted += 1
    try {
      return await work()
    } finally {
      this.#accepted -= 1
      if (this.#accepted === 0) this.#becomeIdle?.()
    }
  }
}

const READS = /^\s*(SELECT|SHOW|VALUES|TABLE|EXPLAIN|WITH)\b/i
const WRITES = /\b(INSERT|UPDATE|DELETE|MERGE|INTO|ANALYZE)\b/i

/** Whether a statement whose connection broke may have committed: it was sent, and is not plainly a read. */
function mayHaveWritten(text: string, error: unknown): boolean {
  return (
    !wasNeverSent(error) && (!READS.test(text) || WRITES.test(text.replace(/\bFOR\s+(NO\s+KEY\s+)?UPDATE\b/gi, '')))
  )
}

function isLost(error: unknown): boolean {
  return error instanceof GroundswellError && error.code === 'DATA_CONNECTION_LOST'
}
