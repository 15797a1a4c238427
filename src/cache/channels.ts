import { facts } from '../core/index.ts'

/** The levels in the order in which they are asked. */
export type Level = 'memory' | 'redis'

/**
 * Why a level had nothing to serve: no entry, one that an invalidation has overtaken, one whose database has been
 * silent for too long to be sure, one that cannot be read, or the level itself is away.
 */
export type MissReason = 'absent' | 'fenced' | 'unheard' | 'unreadable' | 'unavailable'

/** A level was asked for an entry. */
export const cacheRead = facts<
  | { readonly cache: string; readonly level: Level; readonly outcome: 'hit' }
  | { readonly cache: string; readonly level: Level; readonly outcome: 'miss'; readonly reason: MissReason }
>('cache.read')

/** A loader ran. Callers who waited for it are not counted. */
export const cacheLoaded = facts<{
  readonly cache: string
  readonly outcome: 'loaded' | 'failed'
  readonly durationMs: number
}>('cache.loaded')

/** A loaded value was not kept: it was invalidated while it was loaded, or is too large. */
export const fillRejected = facts<{ readonly cache: string; readonly reason: 'fenced' | 'too-large' }>(
  'cache.fill-rejected',
)

/** A level dropped an entry to make room. */
export const cacheEvicted = facts<{ readonly cache: string; readonly level: Level }>('cache.evicted')

/**
 * Fences reached this process: at once for transactions of its own, `lagMs` after their commit for those of others.
 */
export const fencesApplied = facts<{
  readonly shard: number
  readonly fences: number
  readonly origin: 'own' | 'followed'
  readonly lagMs: number
}>('cache.fences-applied')

/** A level went away or came back. The cache serves without it meanwhile. */
export const levelChanged = facts<{
  readonly level: Exclude<Level, 'memory'>
  readonly state: 'up' | 'down'
  readonly error?: unknown
}>('cache.level-changed')
