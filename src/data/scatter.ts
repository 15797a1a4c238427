import { isRetryable, messageOf } from '../core/index.ts'
import type { Row, ScatterQuery, Shard } from './database.ts'
import { dataError } from './errors.ts'
import { SCATTER_CONCURRENCY_MAX, SCATTER_LIMIT_MAX } from './limits.ts'

/**
 * One query over every shard, merged in order. Every shard sorts and limits itself; the merge takes the smallest head
 * again and again. Columns to sort by must compare here as they do in PostgreSQL: integers, floats, booleans,
 * timestamps (by the millisecond: declare `timestamptz(3)`), dates, uuids, and text with COLLATE "C". `numeric` arrives
 * as text and does not. NULL sorts after everything ascending and before everything descending, which is PostgreSQL's
 * default.
 *
 * Throws DATA_SCATTER_INVALID for a query that cannot be merged, also when a shard's rows come in another order than
 * `orderBy` says, and DATA_SCATTER_FAILED naming the shard that did not answer: never a partial answer.
 */
export async function scatter<R extends object>(shards: readonly Shard[], query: ScatterQuery): Promise<readonly R[]> {
  if (!Number.isInteger(query.limit) || query.limit < 1 || query.limit > SCATTER_LIMIT_MAX) {
    throw dataError('DATA_SCATTER_INVALID', `limit ${query.limit} is not an integer from 1 to ${SCATTER_LIMIT_MAX}`)
  }
  if (query.orderBy.length === 0)
    throw dataError('DATA_SCATTER_INVALID', 'orderBy names no column: shards have no order of their own')
  const answers: (readonly R[])[] = []
  for (let first = 0; first < shards.length; first += SCATTER_CONCURRENCY_MAX) {
    const group = shards.slice(first, first + SCATTER_CONCURRENCY_MAX)
    answers.push(...(await Promise.all(group.map((shard) => ask<R>(shard, query)))))
  }
  return merge(answers, query)
}

async function ask<R extends object>(shard: Shard, query: ScatterQuery): Promise<readonly R[]> {
  let rows: readonly R[]
  try {
    rows = await shard.query<R>(query.text, query.values)
  } catch (error) {
    // What the statement itself did wrong already names the shard, and trying again would not help.
    if (!isRetryable(error)) throw error
    const message = `shard ${shard.index} (${shard.label}) failed: ${messageOf(error)}`
    throw dataError('DATA_SCATTER_FAILED', message, { cause: error, details: { shard: shard.index } })
  }
  assertOrdered(rows, shard, query.orderBy)
  return rows
}

/** Finds SQL that sorts by other columns or in another collation, before it turns into a wrong merge. */
function assertOrdered(rows: readonly object[], shard: Shard, orderBy: ScatterQuery['orderBy']): void {
  const [first] = rows
  if (first === undefined) return
  const missing = orderBy.find(({ column }) => !(column in first))
  if (missing !== undefined) {
    throw dataError('DATA_SCATTER_INVALID', `the result has no column "${missing.column}" to sort by`)
  }
  for (let index = 1; index < rows.length; index++) {
    const [row, next] = [rows[index - 1], rows[index]]
    if (row === undefined || next === undefined || compareRows(row, next, orderBy) <= 0) continue
    const columns = orderBy.map(({ column, direction }) => `${column} ${direction}`).join(', ')
    throw dataError(
      'DATA_SCATTER_INVALID',
      `rows of shard ${shard.index} (${shard.label}) are not sorted by ${columns}: the SQL must sort the same way, text by COLLATE "C"`,
    )
  }
}

function merge<R extends object>(answers: readonly (readonly R[])[], { orderBy, limit }: ScatterQuery): R[] {
  const merged: R[] = []
  const next = answers.map(() => 0)
  while (merged.length < limit) {
    let best = -1
    for (const [shard, rows] of answers.entries()) {
      const row = rows[next[shard] ?? 0]
      if (row === undefined) continue
      const leader = best === -1 ? undefined : answers[best]?.[next[best] ?? 0]
      if (leader === undefined || compareRows(row, leader, orderBy) < 0) best = shard
    }
    const row = best === -1 ? undefined : answers[best]?.[next[best] ?? 0]
    if (row === undefined) break
    merged.push(row)
    next[best] = (next[best] ?? 0) + 1
  }
  return merged
}

function compareRows(left: object, right: object, orderBy: ScatterQuery['orderBy']): number {
  for (const { column, direction } of orderBy) {
    const order = compareValues((left as Row)[column], (right as Row)[column])
    if (order !== 0) return direction === 'asc' ? order : -order
  }
  return 0
}

function compareValues(left: unknown, right: unknown): number {
  const [a, b] = [comparable(left), comparable(right)]
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1
  if (typeof a === 'string' && typeof b === 'string') return compareBytes(a, b)
  if (typeof a === 'number' && typeof b === 'number') return a - b
  throw dataError(
    'DATA_SCATTER_INVALID',
    `cannot sort ${typeof left} beside ${typeof right}: use numbers, timestamps, uuids or text`,
  )
}

/**
 * Order of the UTF-8 bytes, which is that of code points: UTF-16 units agree, except that surrogates belong to the top.
 */
function compareBytes(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index++) {
    const [a, b] = [left.charCodeAt(index), right.charCodeAt(index)]
    if (a === b) continue
    const [aIsSurrogate, bIsSurrogate] = [(a & 0xf800) === 0xd800, (b & 0xf800) === 0xd800]
    return aIsSurrogate === bIsSurrogate ? a - b : aIsSurrogate ? 1 : -1
  }
  return left.length - right.length
}

function comparable(value: unknown): number | string | null {
  if (value === null || value === undefined) return null
  if (value instanceof Date) return value.getTime()
  if (typeof value === 'boolean') return Number(value)
  if (typeof value === 'number' || typeof value === 'string') return value
  throw dataError('DATA_SCATTER_INVALID', `cannot sort a ${typeof value}: use numbers, timestamps, uuids or text`)
}
