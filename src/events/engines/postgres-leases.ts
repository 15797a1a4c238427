import type { Queryable } from '../../data/index.ts'

/** A lease that this process holds. `others` tells whether any other process holds one on the shard. */
export type HeldLease = { readonly name: string; readonly epoch: number; readonly others: boolean }

const HOLD = `
INSERT INTO groundswell.lease AS l (name, owner, epoch, expires_at)
SELECT name, $1, 1, clock_timestamp() + $3 * interval '1 millisecond' FROM unnest($2::text[]) AS name ORDER BY name
ON CONFLICT (name) DO UPDATE
SET owner = excluded.owner, epoch = l.epoch + (l.owner <> excluded.owner)::int, expires_at = excluded.expires_at
WHERE l.owner = excluded.owner OR l.expires_at < clock_timestamp()
RETURNING name, epoch, EXISTS (
  SELECT FROM groundswell.lease AS other WHERE other.owner <> $1 AND other.expires_at > clock_timestamp()
) AS others`

/**
 * Renews what `owner` holds among `names` and takes what nobody holds; returns all that it holds now. Time is the
 * database's. The epoch stays while the owner does, so `owner` must be another after each start of a process.
 */
export function holdLeases(
  shard: Queryable,
  owner: string,
  options: { readonly names: readonly string[]; readonly leaseMs: number },
): Promise<readonly HeldLease[]> {
  return shard.query<HeldLease>(HOLD, [owner, options.names, options.leaseMs])
}

const RELEASE = `UPDATE groundswell.lease SET expires_at = '-infinity' WHERE owner = $1`

/** Lets others take over at once. */
export async function releaseLeases(shard: Queryable, owner: string): Promise<void> {
  await shard.query(RELEASE, [owner])
}
