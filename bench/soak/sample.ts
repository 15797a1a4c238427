import { readdir, readFile } from 'node:fs/promises'
import type { OpenCluster } from '../../src/data/index.ts'
import { lag } from '../../src/events/index.ts'

/** How the system was at one moment of a soak. */
export type Sample = {
  readonly atSeconds: number
  /** Median and worst of the P99s of the seconds since the sample before. */
  readonly acceptP99Ms: number
  readonly acceptP99WorstMs: number
  /** Of the orders shipped since the sample before: from placed to shipped. */
  readonly endToEndP99Ms: number
  /** By the log; with a broker, what has not been forwarded to it. */
  readonly eventsBehind: number
  readonly oldestBehindSeconds: number
  /** The event log, its outbox, positions, timers and parked events, with their indexes. */
  readonly eventsMiB: number
  /** What the services keep of an order, with indexes: the rest of the databases by the number of orders. */
  readonly bytesPerOrder: number
  readonly deadTuples: number
  readonly nodeMiB: number
  readonly postgresMiB: number
}

export type Sampled = {
  readonly cluster: OpenCluster
  /** Of the process that runs the shop. */
  readonly pid: number
}

type Sizes = { readonly events: number; readonly business: number; readonly dead: number; readonly orders: number }

const MIB = 2 ** 20

/** Everything of a sample but what the load generator sees. `sinceMs`: of the sample before, Unix epoch. */
export async function sampleOf({ cluster, pid }: Sampled, sinceMs: number) {
  const [sizes, behind, endToEnd, nodeMiB, postgresMiB] = await Promise.all([
    ask<Sizes>(cluster, SIZES, []),
    lag(cluster),
    ask<{ p99: number | null }>(cluster, END_TO_END, [firstIdAt(sinceMs - IN_PROGRESS_MS), sinceMs]),
    residentMiB([pid]),
    postgresPids(cluster).then(residentMiB),
  ])
  const sum = (read: (one: Sizes) => number) => sizes.reduce((total, one) => total + Number(read(one)), 0)
  return {
    endToEndP99Ms: Math.max(...endToEnd.map(({ p99 }) => p99 ?? 0)),
    eventsBehind: behind.reduce((total, { lag: events }) => total + events, 0),
    oldestBehindSeconds: Math.max(0, ...behind.map(({ oldestAgeSeconds }) => oldestAgeSeconds)),
    eventsMiB: sum(({ events }) => events) / MIB,
    bytesPerOrder:
      sum(({ business }) => business) /
      Math.max(
        1,
        sum(({ orders }) => orders),
      ),
    deadTuples: sum(({ dead }) => dead),
    nodeMiB,
    postgresMiB,
  }
}

async function ask<Row extends object>(cluster: OpenCluster, text: string, values: readonly unknown[]): Promise<Row[]> {
  const rows = await Promise.all(cluster.shards.map((shard) => shard.query<Row>(text, values)))
  return rows.flat()
}

/** Live rows are PostgreSQL's estimate: counting millions would be a load of its own. */
const SIZES = `
  SELECT coalesce(sum(pg_total_relation_size(relid)) FILTER (WHERE schemaname = 'groundswell'), 0)::float8 AS events,
         coalesce(sum(pg_total_relation_size(relid)) FILTER (WHERE schemaname <> 'groundswell'), 0)::float8 AS business,
         sum(n_dead_tup)::float8 AS dead,
         (SELECT n_live_tup::float8 FROM pg_stat_user_tables WHERE schemaname = 'orders' AND relname = 'orders') AS orders
  FROM pg_stat_user_tables`

/** Ids begin with their time: what is older than any order under way is not looked at. */
const END_TO_END = `
  SELECT percentile_cont(0.99) WITHIN GROUP (ORDER BY shipped_at_ms - placed_at_ms) AS p99
  FROM orders.orders WHERE order_id >= $1::uuid AND shipped_at_ms >= $2`

const IN_PROGRESS_MS = 60_000

/** The lowest UUIDv7 of a millisecond. */
function firstIdAt(atMs: number): string {
  const hex = Math.max(0, Math.floor(atMs)).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
}

/** All processes of the server: the parent of a connection's, and its children. */
async function postgresPids(cluster: OpenCluster): Promise<readonly number[]> {
  const [backend] = await cluster.home.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const server = (await parentOf(backend?.pid ?? 0)) ?? 0
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const parents = await Promise.all(pids.map(parentOf))
  return [server, ...pids.filter((_, index) => parents[index] === server)]
}

/** Undefined of a process that has gone meanwhile. */
async function parentOf(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined)
  // The name, in parentheses, may hold blanks.
  return stat === undefined ? undefined : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}

/** What they have in memory, shared pages divided among those that share them. */
async function residentMiB(pids: readonly number[]): Promise<number> {
  const sizes = await Promise.all(
    pids.map(async (pid) => {
      const text = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1').catch(() => '')
      return Number(/^Pss: +(\d+) kB/m.exec(text)?.[1] ?? 0)
    }),
  )
  return sizes.reduce((total, kiB) => total + kiB, 0) / 1_024
}
