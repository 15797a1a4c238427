import { Logger, run, runMigrations } from 'graphile-worker'
import { messageOf } from '../../src/core/index.ts'
import { note } from '../command/command.ts'
import {
  type ArmPlace,
  COUNT_EFFECTS,
  type EventsArm,
  INSERT_EFFECTS,
  openPool,
  openProducers,
  placeWithJob,
} from './arm.ts'

const ADD_JOB = `SELECT graphile_worker.add_job('placed', json_build_object('id', $1::int))`

/** What its documentation recommends for speed: a local queue of jobs, completed in batches. */
const WORKER = {
  concurrentJobs: 24,
  pollInterval: 500,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
} as const

/** It asks for two more than jobs at once. */
const WORKER_CONNECTIONS = WORKER.concurrentJobs + 2

const silent = new Logger(() => () => {})

/** The job queue Graphile Worker: each request's transaction holds its row and its job; a handler gets one job. */
export async function startGraphileWorkerArm({ url, handled }: ArmPlace): Promise<EventsArm> {
  const pool = await openProducers(url)
  await runMigrations({ connectionString: url, logger: silent })
  const workers = openPool(url, WORKER_CONNECTIONS)
  const runner = await run({
    preset: { worker: { ...WORKER, logger: silent } },
    pgPool: workers,
    noHandleSignals: true,
    crontab: '',
    taskList: {
      placed: async (payload, helpers) => {
        const { id } = payload as { id: number }
        await helpers.query(INSERT_EFFECTS, [[id]])
        handled(id)
      },
    },
  })
  let isStopping = false
  const over = runner.promise.catch((error: unknown) => note(`graphile-worker has failed: ${messageOf(error)}`))
  void over.then(() => isStopping || note('graphile-worker has ended by itself: its events are not handled any more'))
  return {
    name: 'graphile-worker',
    produce: (id) => placeWithJob(pool, id, (client) => client.query(ADD_JOB, [id])),
    effects: async () => Number((await pool.query(COUNT_EFFECTS)).rows[0].count),
    async stop() {
      isStopping = true
      await runner.stop()
      await workers.end()
      await pool.end()
    },
  }
}
