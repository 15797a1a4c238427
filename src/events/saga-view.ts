import { bucketOfId, type SagaDeclaration } from '../core/index.ts'
import type { Cluster } from '../data/index.ts'
import { findSaga } from './engines/postgres-sagas.ts'
import type { Saga } from './saga.ts'
import { type ActionState, type JournalEntry, progressOf, type SagaStatus } from './saga-progress.ts'

/** Where a saga stands, for people. */
export type SagaView = {
  readonly saga: string
  readonly id: string
  readonly status: SagaStatus
  /** In the order of the declaration. */
  readonly actions: readonly { readonly name: string; readonly state: ActionState }[]
  /** What was heard, in order. */
  readonly journal: readonly { readonly at: string; readonly action: string; readonly outcome: JournalEntry[1] }[]
  readonly data: unknown
}

/** Looks a saga up by its id, which says on which shard it is. Undefined when there is none. */
export async function viewSaga(
  cluster: Cluster,
  declaration: SagaDeclaration,
  id: string,
): Promise<SagaView | undefined> {
  const saga = declaration as Saga
  const bucket = bucketOfId(id)
  if (bucket === undefined) return undefined
  const row = await findSaga(cluster.forBucket(bucket), saga, { bucket, id })
  if (row === undefined) return undefined
  const { status, actions } = progressOf(saga.plan, row.journal)
  return {
    saga: saga.name,
    id,
    status,
    actions: [...actions].map(([name, state]) => ({ name, state })),
    journal: row.journal.map(([action, outcome, atMs]) => ({ at: new Date(atMs).toISOString(), action, outcome })),
    data: JSON.parse(row.data) as unknown,
  }
}
