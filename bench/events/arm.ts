import pg from 'pg'

/**
 * One way of bringing events from a business transaction to a handler. Every arm does the same work: each event is
 * written together with a row of the business, and handling it writes another row, once.
 */
export type EventsArm = {
  readonly name: string
  /** Commits the business row and the event of account `id`; resolves when both are durable. */
  produce(id: number): Promise<void>
  /** Rows that handling has written so far, as the database counts them. */
  effects(): Promise<number>
  stop(): Promise<void>
}

/** Told when the effect of `id` has been committed. */
export type Handled = (id: number) => void

/** What an arm is given: a database of its own on the server that all arms share. */
export type ArmPlace = { readonly url: string; readonly handled: Handled }

/** The tables of the business, the same for every arm. */
export const BUSINESS_TABLES = `
CREATE SCHEMA business;
CREATE TABLE business.placed (id int PRIMARY KEY, placed_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE business.effect (id int PRIMARY KEY)`

export const INSERT_PLACED = 'INSERT INTO business.placed (id) VALUES ($1)'

/** Job queues deliver at least once; without an inbox, handlers of theirs have to bear a repetition. */
export const INSERT_EFFECTS = 'INSERT INTO business.effect (id) SELECT unnest($1::int[]) ON CONFLICT DO NOTHING'

export const COUNT_EFFECTS = 'SELECT count(*)::int AS count FROM business.effect'

/** Connections of an arm's producers, the same for every arm. */
const PRODUCER_CONNECTIONS = 16

/** The connections of a job queue's producers, to a database with the tables of the business. */
export async function openProducers(url: string): Promise<pg.Pool> {
  const pool = openPool(url, PRODUCER_CONNECTIONS)
  await pool.query(BUSINESS_TABLES)
  return pool
}

export function openPool(connectionString: string, max: number): pg.Pool {
  const pool = new pg.Pool({ connectionString, max })
  // Of connections that nobody uses: the server may end before the last of them has.
  pool.on('error', () => undefined)
  return pool
}

/** One transaction with the row of the business and, by `insertJob`, its job. */
export async function placeWithJob(
  pool: pg.Pool,
  id: number,
  insertJob: (client: pg.PoolClient) => Promise<unknown>,
): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await client.query(INSERT_PLACED, [id])
    await insertJob(client)
    await client.query('COMMIT')
  } finally {
    client.release()
  }
}
