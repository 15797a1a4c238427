import type { Socket } from 'node:net'
import pg from 'pg'
import { typeParser } from './column-types.ts'
import type { Row } from './database.ts'

/** What a statement answered: its rows, and the command as the server names it, such as `INSERT 0 2` or `ROLLBACK`. */
export type Answer = { readonly rows: readonly Row[]; readonly command: string }

/** A statement; `name` is that under which a connection prepares it, and without one it is parsed each time. */
export type Sent = {
  readonly text: string
  readonly name: string | undefined
  readonly values?: readonly unknown[] | undefined
}

/**
 * Sends a statement together with all others that the connection is given in this turn of the event loop, as one write
 * that ends in one Sync. With a Sync each, as the driver sends them, the server answers with a write each, and these
 * writes with the wake-ups that they cause cost both sides more than a small statement's own work.
 *
 * After one that fails the server passes over the rest of its round trip, so those reject with the same error.
 * Source: PostgreSQL 18, "Extended Query" and "Pipelining".
 */
export function send(client: pg.PoolClient, { text, name, values = [] }: Sent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // Here, so that a value that cannot be sent is the failure of its own statement and of no other.
    const encoded = values.map(encode)
    roundOf(client).statements.push(new Statement({ text, name, encoded, resolve, reject }))
  })
}

/** What is given from now on travels in a round trip of its own, which no failure of an earlier one ends. */
export function endRound(client: pg.PoolClient): void {
  const round = open.get(client)
  if (round !== undefined) submit(client, round)
}

/** The round trip that a connection is being given. */
const open = new WeakMap<pg.PoolClient, RoundTrip>()

function roundOf(client: pg.PoolClient): RoundTrip {
  const known = open.get(client)
  if (known !== undefined) return known
  const round = new RoundTrip()
  open.set(client, round)
  setImmediate(submit, client, round)
  return round
}

function submit(client: pg.PoolClient, round: RoundTrip): void {
  if (open.get(client) !== round) return
  open.delete(client)
  client.query(round)
}

type Encoded = string | Buffer | null

// pg exports it and has no type for it.
const encode = (pg as unknown as { utils: { prepareValue(value: unknown): Encoded } }).utils.prepareValue

type StatementOptions = {
  readonly text: string
  readonly name: string | undefined
  readonly encoded: readonly Encoded[]
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/** sent → rows arrive → answered, or failed. */
class Statement {
  readonly options: StatementOptions
  readonly rows: Row[] = []
  /** Whether this round trip prepares it; if it fails, that may or may not have happened. */
  prepares = false
  columns: readonly Column[] = []
  /** A value of a row that cannot be read. */
  failure: unknown

  constructor(options: StatementOptions) {
    this.options = options
  }

  addRow(values: readonly (string | null)[]): void {
    if (this.failure !== undefined) return
    try {
      this.rows.push(rowOf(this.columns, values))
    } catch (error) {
      this.failure = error
    }
  }

  complete(command: string): void {
    if (this.failure === undefined) this.options.resolve({ rows: this.rows, command })
    else this.options.reject(this.failure)
  }
}

type Column = { readonly name: string; readonly parse: (text: string) => unknown }

function rowOf(columns: readonly Column[], values: readonly (string | null)[]): Row {
  const row: Record<string, unknown> = {}
  for (let index = 0; index < columns.length; index++) {
    const { name, parse } = columns[index] as Column
    const value = values[index] as string | null
    row[name] = value === null ? null : parse(value)
  }
  return row
}

/**
 * Statements whose rows have the same columns each time: if those of a prepared one would change, the server refuses
 * it. What FETCH or EXPLAIN answer is another each time.
 */
const HAS_FIXED_COLUMNS = /^\s*(?:SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|VALUES|TABLE|BEGIN|COMMIT|ROLLBACK)\b/i

/** A statement that a connection has prepared; `columns` are those of its rows, if they are known and fixed. */
type Prepared = { columns: readonly Column[] | undefined; isCertain: boolean }

const preparedOn = new WeakMap<Wire, Map<string, Prepared>>()

/** The members of pg's connection that its types leave out. */
type Wire = {
  readonly stream: Socket
  parse(message: { readonly text: string; readonly name: string | undefined }): void
  bind(message: { readonly statement: string | undefined; readonly values: readonly Encoded[] }): void
  describe(message: { readonly type: 'P'; readonly name: string }): void
  execute(message: object): void
  close(message: { readonly type: 'S'; readonly name: string }): void
  sync(): void
}

/**
 * What pg's client takes for a query: it calls `submit`, then `handle…` for each message until the server is ready
 * again. Being one of its own queries is what a client with a pipeline demands.
 */
class RoundTrip extends pg.Query {
  readonly statements: Statement[] = []
  private answered = 0
  private prepared: Map<string, Prepared> = new Map()
  // The client wraps this to end its timer.
  declare callback: (error: unknown, result?: unknown) => void

  constructor() {
    super('')
    this.callback = () => {}
  }

  override submit = (connection: unknown): Error | undefined => {
    const wire = connection as Wire
    this.prepared = preparedOn.get(wire) ?? new Map<string, Prepared>()
    preparedOn.set(wire, this.prepared)
    wire.stream.cork()
    try {
      for (const statement of this.statements) this.write(wire, statement)
      wire.sync()
      return undefined
    } catch (error) {
      // A text too large for one message, for example. Half a round trip must not reach the server.
      wire.stream.destroy()
      return error as Error
    } finally {
      wire.stream.uncork()
    }
  }

  private write(wire: Wire, statement: Statement): void {
    const { text, name, encoded } = statement.options
    const known = name === undefined ? undefined : this.prepared.get(name)
    if (known === undefined || !known.isCertain) {
      if (known !== undefined) wire.close({ type: 'S', name: name as string })
      wire.parse({ text, name })
      statement.prepares = true
      if (name !== undefined) this.prepared.set(name, { columns: undefined, isCertain: true })
    }
    wire.bind({ statement: name, values: encoded })
    if (known?.columns === undefined) wire.describe({ type: 'P', name: '' })
    else statement.columns = known.columns
    wire.execute({})
  }

  private get current(): Statement {
    return this.statements[this.answered] as Statement
  }

  handleRowDescription({ fields }: { readonly fields: readonly { name: string; dataTypeID: number }[] }): void {
    this.current.columns = fields.map(({ name, dataTypeID }) => ({ name, parse: typeParser(dataTypeID) }) as Column)
  }

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    this.current.addRow(fields)
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    const { options, columns } = this.current
    const known = options.name === undefined ? undefined : this.prepared.get(options.name)
    if (known !== undefined && HAS_FIXED_COLUMNS.test(options.text)) known.columns ??= columns
    this.current.complete(text)
    this.answered += 1
  }

  /** An empty text, which is no command. */
  handleEmptyQuery(): void {
    this.handleCommandComplete({ text: '' })
  }

  /** Of the statement whose turn it is, or of the connection. */
  handleError(error: unknown): void {
    for (const { prepares, options } of this.statements.slice(this.answered)) {
      if (prepares && options.name !== undefined)
        this.prepared.set(options.name, { columns: undefined, isCertain: false })
      options.reject(error)
    }
    this.answered = this.statements.length
    this.callback(error)
  }

  handleReadyForQuery(): void {
    this.callback(null)
  }
}
