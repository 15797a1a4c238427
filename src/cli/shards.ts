import { BUCKET_COUNT, GroundswellError, type Key } from '../core/index.ts'
import { bucketDirectoryStriped, bucketOf, openData, readOptions } from '../runtime/index.ts'
import { shardingKey } from './arguments.ts'
import { note, print, printJson, table } from './output.ts'

export type Located = {
  readonly key: Key
  readonly bucket: number
  readonly shard: number
  /** Host, port and database; absent when nothing runs. */
  readonly database?: string
}

/** `groundswell shards locate`: where the rows of a key are, or would be in a fresh cluster when nothing runs. */
export async function locate(
  texts: readonly string[],
  options: { readonly text?: boolean; readonly json?: boolean },
): Promise<number> {
  const keys = texts.map((text) => (options.text ? text : shardingKey(text)))
  const live = await locateLive(keys)
  const located = live ?? locateStriped(keys)
  if (options.json) {
    printJson({ directory: live === undefined ? 'striped' : 'live', keys: located })
    return 0
  }
  for (const { key, bucket, shard, database } of located) {
    print(`${key}: bucket ${bucket}, shard ${shard}${database === undefined ? '' : ` (${database})`}`)
  }
  if (live === undefined) note(`Nothing runs here: this is a fresh directory of ${shardCount()} shards (SHARDS).`)
  return 0
}

/** `groundswell shards list`: every shard with its database and how many buckets it has. */
export async function list(options: { readonly json?: boolean }): Promise<number> {
  const { cluster, close } = await openData(process.env)
  try {
    const buckets = new Array<number>(cluster.shards.length).fill(0)
    for (const shard of cluster.directory().shardOf) buckets[shard] = (buckets[shard] ?? 0) + 1
    const shards = cluster.shards.map(({ index, label }) => {
      return { shard: index, database: label, buckets: buckets[index] ?? 0 }
    })
    if (options.json) printJson({ epoch: cluster.directory().epoch, shards })
    else {
      const share = (count: number) => `${((count * 100) / BUCKET_COUNT).toFixed(1)} %`
      const rows = shards.map(({ shard, database, buckets }) => [shard, database, buckets, share(buckets)])
      print(table(['SHARD', 'DATABASE', 'BUCKETS', 'SHARE'], rows))
    }
    return 0
  } finally {
    await close()
  }
}

async function locateLive(keys: readonly Key[]): Promise<readonly Located[] | undefined> {
  try {
    const { cluster, close } = await openData(process.env)
    try {
      return keys.map((key) => {
        const { bucket, shard } = cluster.locate(key)
        return { key, bucket, shard, database: cluster.shards[shard]?.label ?? '' }
      })
    } finally {
      await close()
    }
  } catch (error) {
    if (error instanceof GroundswellError && error.code === 'RUNTIME_NOT_RUNNING') return undefined
    throw error
  }
}

function locateStriped(keys: readonly Key[]): readonly Located[] {
  const directory = bucketDirectoryStriped(shardCount())
  return keys.map((key) => {
    const bucket = bucketOf(key)
    return { key, bucket, shard: directory[bucket] ?? 0 }
  })
}

function shardCount(): number {
  return readOptions(process.env).shards
}
