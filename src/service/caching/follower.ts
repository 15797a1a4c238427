import { FENCED_TAGS_MAX, type FenceReport, type Fences, fencesApplied } from '../../cache/index.ts'
import { delay } from '../../core/index.ts'
import type { OpenCluster, Shard } from '../../data/index.ts'
import { followFailed } from '../channels.ts'
import { FOLLOW_INTERVAL_MS } from '../limits.ts'
import { INCARNATION } from './horizon.ts'
import type { Invalidation } from './signals.ts'

const CHANNEL = 'groundswell_cache'

/**
 * Follows the invalidations of one shard and raises the fences of this process. The table is the truth: it is read
 * every FOLLOW_INTERVAL_MS, so that nothing depends on a notification, and at once when this process committed or
 * another says that it did. Each reading asks for what the snapshot of the last one did not see, whatever the order in
 * which transactions end: none is missed and none is read twice.
 */
export class InvalidationFollower {
  readonly #cluster: OpenCluster
  readonly #shard: Shard
  readonly #fences: Fences
  #seen: { readonly snapshot: string; readonly incarnation: string } | undefined
  #wake = new AbortController()
  #isNotifyDue = false
  #isStopped = false
  #unlisten: (() => Promise<void>) | undefined
  #following: Promise<void> = Promise.resolve()

  constructor({ cluster, shard, fences }: { cluster: OpenCluster; shard: Shard; fences: Fences }) {
    this.#cluster = cluster
    this.#shard = shard
    this.#fences = fences
  }

  /** Resolves when the shard was heard from, from when on its entries can be served. */
  async start(): Promise<void> {
    this.#unlisten = await this.#cluster.listen(this.#shard.index, CHANNEL, () => this.#wake.abort())
    await this.#read()
    this.#following = this.#follow()
  }

  /** A transaction of this process has committed: raises its fences now, and lets the other processes know soon. */
  committed({ shard, tags, xid }: Invalidation): void {
    this.#fences.raise(shard, tags, xid)
    fencesApplied.publish({ shard, fences: tags.length, origin: 'own', lagMs: 0 })
    this.#isNotifyDue = true
    this.#wake.abort()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#wake.abort()
    await this.#following
    await this.#unlisten?.()
  }

  async #follow(): Promise<void> {
    while (!this.#isStopped) {
      await delay(FOLLOW_INTERVAL_MS, this.#wake.signal)
      // Before the reading: what wakes during it asks for another.
      this.#wake = new AbortController()
      try {
        await this.#notify()
        await this.#read()
      } catch (error) {
        if (this.#isStopped) return
        followFailed.publish({ shard: this.#shard.index, error })
        await delay(FOLLOW_INTERVAL_MS, this.#wake.signal)
      }
    }
    await this.#notify().catch((error: unknown) => followFailed.publish({ shard: this.#shard.index, error }))
  }

  /** One notification for all that committed since the last: each would cost the server a commit of its own. */
  async #notify(): Promise<void> {
    if (!this.#isNotifyDue) return
    this.#isNotifyDue = false
    await this.#shard.query(NOTIFY, [CHANNEL])
  }

  async #read(): Promise<void> {
    const askedAtMs = performance.now()
    const seen = this.#seen
    const answer = await this.#ask(seen?.snapshot)
    if (seen !== undefined && answer.incarnation !== seen.incarnation) {
      // Snapshots of two runs cannot be compared: begin afresh.
      this.#seen = undefined
      return this.#read()
    }
    this.#fences.hear(reportOf(this.#shard.index, answer, askedAtMs))
    this.#seen = { snapshot: answer.snapshot, incarnation: answer.incarnation }
    const { lagMs, fences } = answer
    if (seen === undefined || fences.length === 0) return
    fencesApplied.publish({ shard: this.#shard.index, fences: fences.length, origin: 'followed', lagMs: lagMs ?? 0 })
  }

  async #ask(snapshot: string | undefined): Promise<Answer> {
    const [row] = await this.#shard.query<Answer>(READ, [snapshot ?? NOTHING_SEEN, FENCED_TAGS_MAX + 1])
    if (row === undefined) throw new Error(`shard ${this.#shard.index} answered the question for fences with no row`)
    return row
  }
}

type Answer = {
  /** `xmin:xmax:` and the transactions under way between them. */
  readonly snapshot: string
  readonly incarnation: string
  readonly floor: string
  readonly fences: readonly (readonly [tag: string, xid: string])[]
  /** Since the oldest of the rows was written. */
  readonly lagMs: number | null
}

function reportOf(shard: number, { snapshot, incarnation, floor, fences }: Answer, askedAtMs: number): FenceReport {
  const [watermark = 0, end = 0] = snapshot.split(':').map(Number)
  const known = { shard, incarnation, watermark, askedAtMs }
  // More tags than a process keeps: the floor refuses whatever was read before now.
  if (fences.length > FENCED_TAGS_MAX) return { ...known, floor: end - 1, fences: [] }
  return { ...known, floor: Number(floor), fences: fences.map(([tag, xid]) => [tag, Number(xid)]) }
}

/** A snapshot that has seen nothing. */
const NOTHING_SEEN = '1:1:'

const NOTIFY = `SELECT pg_notify($1, '')`

/**
 * One statement, so that rows, floor and snapshot belong together. A row beyond the snapshot's end comes from the dump
 * of another server and means nothing here.
 */
const READ = `
  WITH fence AS MATERIALIZED (
    SELECT DISTINCT ON (tag) tag, xid, written_at FROM groundswell.cache_invalidation
    WHERE xid >= pg_snapshot_xmin($1::pg_snapshot) AND NOT pg_visible_in_snapshot(xid, $1::pg_snapshot)
      AND xid < pg_snapshot_xmax(pg_current_snapshot())
    ORDER BY tag, xid DESC LIMIT $2::int)
  SELECT pg_current_snapshot()::text AS snapshot, ${INCARNATION} AS incarnation,
    (SELECT CASE WHEN xid < pg_snapshot_xmax(pg_current_snapshot()) THEN xid ELSE '0' END::text
     FROM groundswell.cache_floor) AS floor,
    (SELECT coalesce(json_agg(json_build_array(tag, xid::text)), '[]') FROM fence) AS fences,
    (SELECT extract(epoch FROM clock_timestamp() - min(written_at))::float8 * 1000 FROM fence) AS "lagMs"`
