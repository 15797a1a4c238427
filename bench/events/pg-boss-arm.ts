import type pg from 'pg'
import { PgBoss } from 'pg-boss'
import { type ArmPlace, COUNT_EFFECTS, type EventsArm, INSERT_EFFECTS, openProducers, placeWithJob } from './arm.ts'

const QUEUE = 'placed'

/** What its documentation recommends for speed: large fetches, one after the other while they are full, and NOTIFY. */
const WORK = { batchSize: 1_000, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true } as const

/** The job queue pg-boss: each request's transaction holds its row and its job. */
export async function startPgBossArm({ url, handled }: ArmPlace): Promise<EventsArm> {
  const pool = await openProducers(url)
  const boss = new PgBoss({ connectionString: url, useListenNotify: true })
  const failures: Error[] = []
  boss.on('error', (error: Error) => failures.push(error))
  await boss.start()
  await boss.createQueue(QUEUE, { notify: true })
  await boss.work<{ id: number }>(QUEUE, WORK, async (jobs) => {
    const ids = jobs.map((job) => job.data.id)
    await pool.query(INSERT_EFFECTS, [ids])
    ids.forEach(handled)
  })
  const insertJob = async (client: pg.PoolClient, id: number) => {
    const db = { executeSql: (text: string, values?: unknown[]) => client.query(text, values) }
    await boss.send(QUEUE, { id }, { db })
  }
  return {
    name: 'pg-boss',
    produce: (id) => placeWithJob(pool, id, (client) => insertJob(client, id)),
    effects: async () => Number((await pool.query(COUNT_EFFECTS)).rows[0].count),
    async stop() {
      await boss.stop({ graceful: true, timeout: 5_000 })
      await pool.end()
      if (failures.length > 0) throw new AggregateError(failures, 'pg-boss reported errors')
    },
  }
}
