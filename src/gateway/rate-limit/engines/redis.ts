import { hash } from 'node:crypto'
import type { RedisClient, RedisConnection } from '../../stores/redis-connection.ts'
import type { Limit, LimiterRules, RateLimiter, Usage, WindowType } from '../limiter.ts'
import { bucketOf, bucketUsage, fixedUsage, previousShare, slidingUsage } from '../usage.ts'
import { windowAt, windowBefore } from '../windows.ts'

export type RedisLimiterRules = LimiterRules & {
  /** Tells these counts from all others in the same Redis, the same in every gateway. */
  readonly name: string
}

/**
 * Counts in a Redis that all gateways share: one script looks and counts, and Redis runs one script at a time. Keys of
 * one identifier have a hash tag in common, so that a cluster keeps them in one place. The time is the gateways':
 * their clocks should agree within a fraction of the shortest period, as NTP has them do. Fixed windows stay exact
 * even when they do not, since each window is counted under its own start.
 */
export function redisLimiter(rules: RedisLimiterRules, connection: RedisConnection): RateLimiter {
  const counting = COUNTINGS[rules.windowType]
  return {
    async take(identifier, nowMs) {
      const tag = `ratelimit:{${rules.name}:${identifier}}`
      const asked = rules.limits.map((limit) => counting.ask(limit, tag, nowMs))
      const keys = asked.flatMap((question) => question.keys)
      const values = asked.flatMap((question) => question.values.map(String))
      const [passed = 0, ...numbers] = await connection.run((client) =>
        evaluate(client, counting.script, { keys, arguments: values }),
      )
      const width = numbers.length / rules.limits.length
      const usages = rules.limits.map((limit, index) =>
        counting.usage(limit, numbers.slice(index * width, (index + 1) * width), nowMs),
      )
      return { passes: passed === 1, usages }
    },
  }
}

type Script = { readonly text: string; readonly sha1: string }

/** What the script is asked about one limit. */
type Question = { readonly keys: readonly string[]; readonly values: readonly number[] }

type Counting = {
  /** Answers 1 or 0 for whether the request passes, then the numbers of each limit. */
  readonly script: Script
  readonly ask: (limit: Limit, tag: string, nowMs: number) => Question
  readonly usage: (limit: Limit, numbers: readonly number[], nowMs: number) => Usage
}

/** Keys outlive their window a little, for gateways whose clock is behind. */
const KEPT_LONGER_MS = 1_000

const FIXED = script(`
local passes, counts = 1, {}
for i = 1, #KEYS do
  counts[i] = tonumber(redis.call('GET', KEYS[i]) or '0')
  if counts[i] >= tonumber(ARGV[2 * i - 1]) then passes = 0 end
end
if passes == 1 then
  for i = 1, #KEYS do
    counts[i] = redis.call('INCR', KEYS[i])
    if counts[i] == 1 then redis.call('PEXPIRE', KEYS[i], ARGV[2 * i]) end
  end
end
return { passes, unpack(counts) }`)

const SLIDING = script(`
local passes, counts = 1, {}
for i = 1, #KEYS do counts[i] = tonumber(redis.call('GET', KEYS[i]) or '0') end
for i = 1, #KEYS, 2 do
  local a = (i - 1) / 2 * 3
  if counts[i + 1] * tonumber(ARGV[a + 2]) + counts[i] + 1 > tonumber(ARGV[a + 1]) then passes = 0 end
end
if passes == 1 then
  for i = 1, #KEYS, 2 do
    counts[i] = redis.call('INCR', KEYS[i])
    if counts[i] == 1 then redis.call('PEXPIRE', KEYS[i], ARGV[(i - 1) / 2 * 3 + 3]) end
  end
end
return { passes, unpack(counts) }`)

// Redis would round a number of this size if it turned it into text by itself: hence %.0f.
const TOKEN_BUCKET = script(`
local passes, waits = 1, {}
for i = 1, #KEYS do
  local a = 3 * (i - 1)
  waits[i] = math.max(0, tonumber(redis.call('GET', KEYS[i]) or '0') - tonumber(ARGV[a + 1]))
  if waits[i] + tonumber(ARGV[a + 2]) > tonumber(ARGV[a + 3]) then passes = 0 end
end
if passes == 1 then
  for i = 1, #KEYS do
    local a = 3 * (i - 1)
    waits[i] = waits[i] + tonumber(ARGV[a + 2])
    local full = string.format('%.0f', tonumber(ARGV[a + 1]) + waits[i])
    redis.call('SET', KEYS[i], full, 'PX', math.ceil(waits[i] / 1000) + ${KEPT_LONGER_MS})
  end
end
return { passes, unpack(waits) }`)

const COUNTINGS: Readonly<Record<WindowType, Counting>> = {
  fixed: {
    script: FIXED,
    ask({ period, count }, tag, nowMs) {
      const { startsAtMs, endsAtMs } = windowAt(period, nowMs)
      return { keys: [`${tag}:${period}:${startsAtMs}`], values: [count, endsAtMs - nowMs + KEPT_LONGER_MS] }
    },
    usage: ({ period, count }, [counted = 0], nowMs) =>
      fixedUsage(count, counted, windowAt(period, nowMs).endsAtMs - nowMs),
  },
  sliding: {
    script: SLIDING,
    ask({ period, count }, tag, nowMs) {
      const span = windowAt(period, nowMs)
      const { endsAtMs, startsAtMs } = span
      const keys = [startsAtMs, windowBefore(period, startsAtMs).startsAtMs].map((at) => `${tag}:s:${period}:${at}`)
      const keptMs = endsAtMs - nowMs + (endsAtMs - startsAtMs) + KEPT_LONGER_MS
      return { keys, values: [count, previousShare(span, nowMs), keptMs] }
    },
    usage: ({ period, count }, [current = 0, previous = 0], nowMs) =>
      slidingUsage(count, { current, previous, span: windowAt(period, nowMs), nowMs }),
  },
  'token-bucket': {
    script: TOKEN_BUCKET,
    ask(limit, tag, nowMs) {
      const { tokenUs, capacityUs } = bucketAt(limit, nowMs)
      return { keys: [`${tag}:b:${limit.period}`], values: [nowMs * 1_000, tokenUs, capacityUs] }
    },
    usage: (limit, [untilFullUs = 0], nowMs) => bucketUsage(bucketAt(limit, nowMs), untilFullUs),
  },
}

function bucketAt({ period, count }: Limit, nowMs: number) {
  const { startsAtMs, endsAtMs } = windowAt(period, nowMs)
  return bucketOf(count, endsAtMs - startsAtMs)
}

function script(text: string): Script {
  return { text, sha1: hash('sha1', text, 'hex') }
}

type Parameters = { readonly keys: string[]; readonly arguments: string[] }

/** By its hash; a Redis that has just started does not know the script, and gets it first. */
async function evaluate(client: RedisClient, { text, sha1 }: Script, parameters: Parameters): Promise<number[]> {
  try {
    return (await client.evalSha(sha1, parameters)) as number[]
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    await client.scriptLoad(text)
    return (await client.evalSha(sha1, parameters)) as number[]
  }
}
