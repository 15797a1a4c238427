import type { Transaction } from 'groundswell'

/**
 * Makes the rest of a transaction find rows by index. A batch's UPDATE joins its arrays with a table that grows;
 * PostgreSQL keeps the plan it made while the table was small, a scan of all of it, until statistics catch up a
 * minute later. In a fresh shop under load that minute is quadratic: it cost more than all other statements together.
 * Not awaited: it travels along.
 */
export function joinByIndex(tx: Transaction): void {
  void tx.query(JOIN_BY_INDEX)
}

const JOIN_BY_INDEX = `
  SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true)`
