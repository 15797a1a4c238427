import type { RedisSettings } from '../config/redis-fields.ts'

/** A plugin's `redis` record for a test's own server, patient: a busy machine is no failure. */
export function redisSettings(url: string, changes: Partial<RedisSettings> = {}): RedisSettings {
  const { hostname, port } = new URL(url)
  return {
    host: hostname,
    port: Number(port),
    timeout: 60_000,
    username: null,
    password: null,
    database: 0,
    ssl: false,
    ssl_verify: false,
    server_name: null,
    ...changes,
  }
}
