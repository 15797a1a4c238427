import type { Queryable, Transaction } from '../../data/index.ts'
import { JOURNAL_CHARS_MAX } from '../limits.ts'
import type { JournalEntry } from '../saga-progress.ts'

/**
 * Where the rows of a saga are. A journal is text, one entry after the other, each JSON and a comma:
 * `["payment","done",1764000000000],["stock","done",1764000000007],`.
 */
export type SagaTable = {
  readonly name: string
  readonly definition: { readonly keptIn?: { readonly table: string; readonly id: string } }
}

export type NewSaga = { readonly saga: string; readonly bucket: number; readonly id: string; readonly data: string }

const INSERT = `
INSERT INTO groundswell.saga (saga, bucket, id, data)
SELECT * FROM unnest($1::text[], $2::smallint[], $3::uuid[], $4::text[])`

/** Not awaited: should it fail, so does COMMIT. */
export function insertSagas(tx: Transaction, rows: readonly NewSaga[]): void {
  void tx.query(INSERT, [
    rows.map(({ saga }) => saga),
    rows.map(({ bucket }) => bucket),
    rows.map(({ id }) => id),
    rows.map(({ data }) => data),
  ])
}

export type ToNote = {
  readonly id: string
  readonly bucket: number
  readonly entries: readonly JournalEntry[]
  /** Whether the row is to be told. */
  readonly matters: boolean
}

export type NotedSaga = { readonly id: string; readonly told: ToldSaga | undefined }

export type ToldSaga = {
  /** JSON. */
  readonly data: string
  /** With the new entries at its end. */
  readonly journal: readonly JournalEntry[]
}

/**
 * PostgreSQL keeps the plan that it made while the table was small, a scan of all of it, until statistics catch up. Not
 * awaited: it travels along.
 */
const JOIN_BY_INDEX = `
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
  set_config('enable_mergejoin', 'off', true)`

/**
 * Adds to the journals, in one statement, and returns the rows that there are. Sorted by id, so that two transactions
 * with the same sagas never wait for each other.
 */
export async function noteInJournals(
  tx: Transaction,
  table: SagaTable,
  notes: readonly ToNote[],
): Promise<readonly NotedSaga[]> {
  const sorted = notes.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  void tx.query(JOIN_BY_INDEX)
  const rows = await tx.query<NotedRow>(noteStatement(table), [
    sorted.map(({ bucket }) => bucket),
    sorted.map(({ id }) => id),
    sorted.map(({ entries }) => entries.map((entry) => `${JSON.stringify(entry)},`).join('')),
    sorted.map(({ matters }) => matters),
  ])
  return rows.map(({ id, data, journal }) => {
    return { id, told: data === null || journal === null ? undefined : { data, journal: parseJournal(journal) } }
  })
}

type NotedRow = { readonly id: string; readonly data: string | null; readonly journal: string | null }

function noteStatement({ name, definition }: SagaTable): string {
  const { table, id } = definition.keptIn ?? { table: 'groundswell.saga', id: 'id' }
  const ofSaga = definition.keptIn === undefined ? `AND s.saga = '${name}'` : ''
  return `
UPDATE ${table} AS s SET journal = s.journal || heard.entries
FROM (
  SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::text[], $4::boolean[]) AS heard (bucket, id, entries, matters)
  ORDER BY id
) AS heard
WHERE s.${id} = heard.id AND s.bucket = heard.bucket AND length(s.journal) < ${JOURNAL_CHARS_MAX} ${ofSaga}
RETURNING s.${id} AS id, CASE WHEN heard.matters THEN s.data END AS data,
  CASE WHEN heard.matters THEN s.journal END AS journal`
}

/** The row of one saga; undefined when there is none. */
export async function findSaga(
  shard: Queryable,
  table: SagaTable,
  { bucket, id }: { readonly bucket: number; readonly id: string },
): Promise<ToldSaga | undefined> {
  const kept = table.definition.keptIn ?? { table: 'groundswell.saga', id: 'id' }
  const ofSaga = table.definition.keptIn === undefined ? `AND saga = '${table.name}'` : ''
  const text = `SELECT data, journal FROM ${kept.table} WHERE ${kept.id} = $1::uuid AND bucket = $2 ${ofSaga}`
  const [row] = await shard.query<{ data: string; journal: string }>(text, [id, bucket])
  return row === undefined ? undefined : { data: row.data, journal: parseJournal(row.journal) }
}

/** The entries of a journal's text. */
export function parseJournal(text: string): readonly JournalEntry[] {
  return JSON.parse(`[${text.slice(0, -1)}]`) as readonly JournalEntry[]
}
