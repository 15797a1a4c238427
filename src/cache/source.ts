import type { Horizon } from './entry.ts'

/**
 * Where loads read: implemented by whoever knows the database. The promise: a horizon is never newer than anything the
 * reader has answered from that shard.
 */
export type Source<Reader> = {
  /** A reader for one load, and the horizons of what it has read so far. */
  open(): { readonly reader: Reader; horizons(): Promise<readonly Horizon[]> }
}
