import type pg from 'pg'
import { encodeParameters } from './array-parameter.ts'
import { hookFailureFacts, slowQueryFacts, statementFacts, transactionFacts } from './channels.ts'
import { type Connections, statementName } from './connection.ts'
import type { Row, Transaction } from './database.ts'
import { dataError } from './errors.ts'
import { SLOW_QUERY_MS } from './limits.ts'
import { type Answer, endRound, send } from './round-trip.ts'
import {
  breaksConnection,
  type ErrorPlace,
  sqlStateOf,
  toDataError,
  unknownOutcome,
  wasNeverSent,
} from './sql-error.ts'

/**
 * Transactions on a pipelined connection. BEGIN travels with the first query and COMMIT with the last, so that a
 * transaction of n queries that are not awaited takes one round trip. States:
 *
 *     open ──run resolves──▶ finishing ──beforeCommit hooks──▶ committing ──COMMIT──▶ committed
 *       └──────run throws, or any query failed─────────────────────┴──▶ failed (ROLLBACK)
 *
 * From `committing` on, a connection that breaks leaves the outcome unknown.
 */
export async function runTransaction<T>(
  connections: Connections,
  place: ErrorPlace,
  run: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const client = await connections.acquire()
  const startedAt = performance.now()
  const session = new TransactionSession(client, place)
  let outcome: 'committed' | 'failed' = 'failed'
  let result: T
  try {
    result = await session.complete(run)
    outcome = 'committed'
  } finally {
    // A connection that is not idle again, or that broke, must not reach the next user.
    client.release(session.isReusable ? undefined : true)
    publish(outcome, { place, startedAt, session })
  }
  for (const runAfter of session.committedHooks) runCommitted(runAfter, place)
  return result
}

/** What committed must not look failed, or somebody would do it again. */
function runCommitted(runAfter: () => void, place: ErrorPlace): void {
  try {
    runAfter()
  } catch (error) {
    hookFailureFacts.publish({ shard: place.shard, error })
  }
}

function publish(
  outcome: 'committed' | 'failed',
  { place, startedAt, session }: { place: ErrorPlace; startedAt: number; session: TransactionSession },
): void {
  if (!transactionFacts.hasSubscribers) return
  const ms = performance.now() - startedAt
  transactionFacts.publish({ shard: place.shard, outcome, ms, statements: session.statements })
}

/** Runs one prepared statement on a connection and tells when it was slow. */
export async function runStatement(
  client: pg.PoolClient,
  place: ErrorPlace,
  { text, values }: { readonly text: string; readonly values: readonly unknown[] | undefined },
): Promise<readonly Row[]> {
  const startedAt = performance.now()
  const encoded = values === undefined ? undefined : encodeParameters(text, values)
  const { rows } = await send(client, { text, name: statementName(text), values: encoded })
  const ms = performance.now() - startedAt
  if (statementFacts.hasSubscribers) statementFacts.publish({ shard: place.shard, ms })
  if (ms > SLOW_QUERY_MS && slowQueryFacts.hasSubscribers) slowQueryFacts.publish({ shard: place.shard, text, ms })
  return rows
}

/** Begins or ends a transaction: prepared as well, so that the server need not parse it each time. */
function control(client: pg.PoolClient, text: 'BEGIN' | 'COMMIT' | 'ROLLBACK'): Promise<Answer> {
  return send(client, { text, name: `gs_${text}` })
}

function afterTheEnd(act: string, what = ''): Error {
  return new Error(`${act} after the end of its transaction, was it awaited? ${what}`.trimEnd())
}

class TransactionSession implements Transaction {
  readonly shard: number
  readonly committedHooks: (() => void)[] = []
  statements = 0
  isReusable = false
  readonly #client: pg.PoolClient
  readonly #place: ErrorPlace
  readonly #attachments = new Map<symbol, unknown>()
  readonly #commitHooks: (() => unknown)[] = []
  /** The first query that failed: the reason of whatever fails after it. */
  #failure: { readonly error: unknown; readonly isBroken: boolean; readonly isFromServer: boolean } | undefined
  #isOpen = true
  #lastQuery: Promise<unknown> = Promise.resolve()

  constructor(client: pg.PoolClient, place: ErrorPlace) {
    this.#client = client
    this.#place = place
    this.shard = place.shard
    this.query = this.query.bind(this)
  }

  query<R extends object = Row>(text: string, values?: readonly unknown[]): Promise<readonly R[]> {
    const answer = this.#send(text, values)
    // The transaction rejects with the first failure; a query that nobody awaits must not also end the process.
    this.#lastQuery = answer.catch(() => undefined)
    return answer as Promise<readonly unknown[]> as Promise<readonly R[]>
  }

  async #send(text: string, values: readonly unknown[] | undefined): Promise<readonly Row[]> {
    if (!this.#isOpen) throw afterTheEnd('query', text)
    this.statements += 1
    try {
      return await runStatement(this.#client, this.#place, { text, values })
    } catch (error) {
      throw this.#fail(error)
    }
  }

  attach<State>(key: symbol, create: () => State): State {
    // Also where the state is there already: nobody would look at what is added to it, such as an event.
    if (!this.#isOpen) throw afterTheEnd('attach', key.description)
    if (!this.#attachments.has(key)) this.#attachments.set(key, create())
    return this.#attachments.get(key) as State
  }

  beforeCommit(run: () => unknown): void {
    if (!this.#isOpen) throw afterTheEnd('beforeCommit')
    this.#commitHooks.push(run)
  }

  afterCommit(run: () => void): void {
    if (!this.#isOpen) throw afterTheEnd('afterCommit')
    this.committedHooks.push(run)
  }

  async complete<T>(run: (tx: Transaction) => Promise<T>): Promise<T> {
    // Not awaited: it travels with the first query. Should it fail, so does the connection, and COMMIT with it.
    control(this.#client, 'BEGIN').catch((error: unknown) => void this.#fail(error))
    let result: T
    try {
      result = await run(this)
      await this.#runCommitHooks()
    } catch (error) {
      this.#isOpen = false
      await this.#rollback()
      // The first failure is the reason; what `run` threw may only be its consequence.
      throw this.#failure?.error ?? error
    }
    if (this.#failure === undefined) await this.#commit()
    else await this.#rollback()
    if (this.#failure !== undefined) throw this.#failure.error
    return result
  }

  async #runCommitHooks(): Promise<void> {
    // By index, since a hook may register another.
    for (let index = 0; index < this.#commitHooks.length; index++) {
      const pending = this.#commitHooks[index]?.()
      if (pending !== undefined) await pending
    }
    // Before the caller goes on, or one more hook could slip in between that nobody runs.
    this.#isOpen = false
  }

  /** Resolves when the transaction committed, or when it did not because of `#failure`; rejects otherwise. */
  async #commit(): Promise<void> {
    let command: string
    try {
      command = (await control(this.#client, 'COMMIT')).command
    } catch (error) {
      await this.#lastQuery
      // The server answers in order: having refused an earlier query, it has passed over COMMIT and not committed.
      if (this.#failure?.isFromServer) return this.#rollback()
      throw this.#commitError(error)
    }
    this.isReusable = true
    if (command === 'COMMIT') return
    // The failure of a query that nobody awaited may reach us only after the answer to COMMIT.
    await this.#lastQuery
    if (this.#failure !== undefined) return
    throw dataError(
      'DATA_COMMIT_ROLLED_BACK',
      `shard ${this.shard} (${this.#place.label}) answered COMMIT with ${command}: an earlier query failed unnoticed`,
    )
  }

  /** The server's own refusal of COMMIT is certain; a connection that breaks after COMMIT was sent says nothing. */
  #commitError(error: unknown): unknown {
    this.isReusable = !breaksConnection(error)
    if (this.isReusable || wasNeverSent(error)) return toDataError(error, this.#place)
    return unknownOutcome(this.#place, error)
  }

  async #rollback(): Promise<void> {
    if (this.#failure?.isBroken) return
    try {
      // Not in the round trip of what may fail: the server passes over the rest of that.
      endRound(this.#client)
      await control(this.#client, 'ROLLBACK')
      this.isReusable = true
    } catch {
      // The connection is gone and the transaction with it; the reason for rolling back is the one to report.
      this.isReusable = false
    }
  }

  #fail(error: unknown): unknown {
    const known = toDataError(error, this.#place)
    const isFromServer = sqlStateOf(error) !== undefined
    this.#failure ??= { error: known, isBroken: breaksConnection(error), isFromServer }
    return known
  }
}
