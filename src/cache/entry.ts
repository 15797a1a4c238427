import { z } from 'zod'
import { cacheError } from './errors.ts'

/**
 * How far a load had seen one database: everything that transactions below `asOf` committed is in the value. Read
 * before the data, or in its snapshot, never after. `incarnation` names one uninterrupted run of that database:
 * transaction ids of two runs cannot be compared.
 */
export type Horizon = { readonly shard: number; readonly incarnation: string; readonly asOf: number }

/** A value with all that decides, at every read, whether it may be served. Values are frozen. */
export type Entry = {
  readonly value: unknown
  readonly tags: readonly string[]
  /** One per shard that the value was read from. */
  readonly horizons: readonly Horizon[]
  /** Characters of the value's JSON. */
  readonly sizeChars: number
}

/**
 * Makes an entry of a value, as it will look to every reader: what JSON makes of it, frozen. Throws CACHE_VALUE_INVALID
 * for a value that JSON would change.
 */
export function entryOf(value: unknown, parts: Pick<Entry, 'tags' | 'horizons'>): Entry {
  assertJson(value, 'the value')
  const text = JSON.stringify(value)
  return { value: frozen(JSON.parse(text)), sizeChars: text.length, ...parts }
}

/** The format of entries outside of this process: version, tags, horizons as triples, value. */
const Stored = z.object({
  v: z.literal(1),
  tags: z.array(z.string()),
  horizons: z.array(z.tuple([z.int().min(0), z.string(), z.int().min(0)])),
  value: z.unknown(),
})

export function encodeEntry({ value, tags, horizons }: Entry): string {
  const triples = horizons.map(({ shard, incarnation, asOf }) => [shard, incarnation, asOf])
  return JSON.stringify({ v: 1, tags, horizons: triples, value })
}

/** Undefined for a text that is damaged, or of another version. */
export function decodeEntry(text: string): Entry | undefined {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // Truncated, or not ours: like an entry that is not there.
    return undefined
  }
  const parsed = Stored.safeParse(json)
  if (!parsed.success) return undefined
  const { tags, horizons, value } = parsed.data
  return {
    value: frozen(value),
    tags,
    horizons: horizons.map(([shard, incarnation, asOf]) => ({ shard, incarnation, asOf })),
    sizeChars: text.length,
  }
}

/** Members that are undefined are allowed: JSON leaves them out, which reads the same. */
function assertJson(value: unknown, path: string): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) assertJson(item, `${path}[${index}]`)
    return
  }
  if (typeof value !== 'object' || !isPlain(value)) throw notJson(value, path)
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) assertJson(member, `${path}.${name}`)
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function notJson(value: unknown, path: string) {
  const kind = typeof value === 'object' ? (value?.constructor?.name ?? 'object') : typeof value
  const shown = typeof value === 'number' ? String(value) : `a ${kind}`
  return cacheError('CACHE_VALUE_INVALID', `${path} is ${shown}, which JSON cannot hold: convert it first`)
}

function frozen(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  for (const member of Object.values(value)) frozen(member)
  return Object.freeze(value)
}
