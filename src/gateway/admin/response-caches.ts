import { messageOf } from '../../core/index.ts'
import { ApiError, notFound } from '../config/api-error.ts'
import type { CachedResponses, StoredResponse } from '../response-cache/response-store.ts'
import { HeaderList } from '../response-head.ts'
import { type Answer, type Endpoint, noContent, ok } from './answer.ts'

/** What each plugin that keeps responses has of them, by the plugin's id. */
export type ResponseCaches = () => ReadonlyMap<string, CachedResponses>

/**
 * `/proxy-cache`: what the plugins of that name have stored, by the key that `X-Cache-Key` shows. Undefined for other
 * paths.
 */
export function responseCachesAt(segments: readonly string[], caches: ResponseCaches): Endpoint | undefined {
  const [first, second, third, key, ...rest] = segments
  if (first !== 'proxy-cache' || rest.length > 0) return undefined
  if (second === undefined) return { DELETE: () => reached(() => clear([...caches().values()])) }
  if (third === undefined) return entry(() => [...caches().values()], second)
  if (third !== 'caches' || key === undefined) return undefined
  return entry(() => {
    const cache = caches().get(second)
    return cache === undefined ? [] : [cache]
  }, key)
}

/** GET answers with the first that there is, DELETE removes every one. */
function entry(caches: () => readonly CachedResponses[], key: string): Endpoint {
  return {
    GET: () =>
      reached(async () => {
        for (const cache of caches()) {
          const { response } = await cache.find(key)
          if (response !== undefined) return ok(shown(response))
        }
        throw notFound()
      }),
    DELETE: () =>
      reached(async () => {
        const removed = await Promise.all(caches().map((cache) => cache.remove(key)))
        if (!removed.includes(true)) throw notFound()
        return noContent
      }),
  }
}

async function clear(caches: readonly CachedResponses[]): Promise<Answer> {
  await Promise.all(caches.map((cache) => cache.clear()))
  return noContent
}

/** A store that cannot be reached has not been cleared: whoever asked must know. */
async function reached(work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ApiError) throw error
    throw new ApiError(503, { message: messageOf(error) })
  }
}

/** In Kong's form: times in seconds. */
function shown({ status, headers, body, storedAtMs, freshMs }: StoredResponse) {
  const list = new HeaderList(headers)
  const names = headers.filter((_, index) => index % 2 === 0)
  const linesOf = (name: string) => {
    const lines = list.getAll(name)
    return lines.length === 1 ? lines[0] : lines
  }
  return {
    status,
    headers: Object.fromEntries(names.map((name) => [name, linesOf(name)])),
    body: body.toString(),
    body_len: body.length,
    timestamp: Math.floor(storedAtMs / 1_000),
    ttl: Math.ceil(freshMs / 1_000),
    version: 1,
  }
}
