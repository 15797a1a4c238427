import { cacheError } from './errors.ts'
import { RedisStore } from './stores/redis.ts'

/**
 * The store behind a CACHE_URL. `prefix` keeps applications apart that share a server. Throws CACHE_URL_UNSUPPORTED.
 */
export function secondLevelAt(url: string, prefix: string): RedisStore {
  const protocol = URL.parse(url)?.protocol
  if (protocol === 'redis:' || protocol === 'rediss:') return new RedisStore({ url, prefix })
  if (protocol === 'memcached:') {
    throw cacheError('CACHE_URL_UNSUPPORTED', 'CACHE_URL is memcached://, which is not there yet: use redis://')
  }
  throw cacheError('CACHE_URL_UNSUPPORTED', 'CACHE_URL must be a redis:// or rediss:// URL')
}
