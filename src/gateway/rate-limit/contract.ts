import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { LimiterRules, RateLimiter, Verdict } from './limiter.ts'

/** An engine under test. Limiters with the same name share their counts. */
export type LimiterEngine = {
  readonly name: string
  readonly skip?: string | false
  readonly open: () => Promise<OpenEngine>
}

export type OpenEngine = {
  limiter(rules: LimiterRules, name: string): RateLimiter
  stop(): Promise<void>
}

const at = (iso: string) => Date.parse(`2025-03-15T${iso}Z`)

const passed = (verdicts: readonly Verdict[]) => verdicts.filter((verdict) => verdict.passes).length

const remaining = ({ passes, usages }: Verdict) => [passes, ...usages.map((usage) => usage.remaining)]

const wait = ({ passes, usages }: Verdict) => [passes, Math.ceil((usages[0]?.resetMs ?? 0) / 1_000)]

/** What every engine that counts for rate limits must do. */
export function limiterContract({ name, skip = false, open }: LimiterEngine): void {
  describe(`rate limits counted by ${name}`, { skip }, () => {
    let engine: OpenEngine
    let made = 0
    before(async () => {
      engine = await open()
    })
    after(() => engine?.stop())

    const limiter = (windowType: LimiterRules['windowType'], ...limits: LimiterRules['limits']) =>
      engine.limiter({ windowType, limits }, `limiter-${++made}`)
    const take = async (from: RateLimiter, count: number, nowMs: number) =>
      Promise.all(Array.from({ length: count }, () => from.take('someone', nowMs)))

    for (const windowType of ['fixed', 'sliding', 'token-bucket'] as const) {
      test(`${windowType}: of many at once exactly the limit passes`, async () => {
        const limited = limiter(windowType, { period: 'minute', count: 100 })
        assert.equal(passed(await take(limited, 1_000, at('10:00:00'))), 100)
      })

      test(`${windowType}: what remains counts down to nothing`, async () => {
        const limited = limiter(windowType, { period: 'minute', count: 3 })
        const seen: unknown[] = []
        for (let index = 0; index < 4; index++) seen.push(remaining(await limited.take('a', at('10:00:00'))))
        assert.deepEqual(seen, [
          [true, 2],
          [true, 1],
          [true, 0],
          [false, 0],
        ])
        assert.deepEqual(remaining(await limited.take('b', at('10:00:00'))), [true, 2])
      })

      test(`${windowType}: a request that one limit refuses counts in none`, async () => {
        const limited = limiter(windowType, { period: 'second', count: 1 }, { period: 'hour', count: 10 })
        await limited.take('a', at('10:00:00'))
        assert.deepEqual(remaining(await limited.take('a', at('10:00:00'))), [false, 0, 9])
        assert.deepEqual(remaining(await limited.take('a', at('10:00:02'))), [true, 0, 8])
      })

      test(`${windowType}: a clock that goes back gives nothing away`, async () => {
        const limited = limiter(windowType, { period: 'minute', count: 2 })
        await take(limited, 2, at('10:00:01'))
        assert.equal(passed(await take(limited, 2, at('10:00:00'))), 0)
      })
    }

    test('fixed: the limit is there again with the next window of the calendar', async () => {
      const limited = limiter('fixed', { period: 'minute', count: 2 })
      await take(limited, 2, at('10:00:59'))
      assert.deepEqual(wait(await limited.take('someone', at('10:00:59'))), [false, 1])
      assert.equal(passed(await take(limited, 3, at('10:01:00'))), 2)
    })

    test('sliding: a burst before the boundary leaves no room for one behind it', async () => {
      const limited = limiter('sliding', { period: 'minute', count: 10 })
      assert.equal(passed(await take(limited, 20, at('10:00:59'))), 10)
      assert.equal(passed(await take(limited, 10, at('10:01:00'))), 0)
      assert.equal(passed(await take(limited, 10, at('10:01:30'))), 5)
    })

    test('sliding: a refusal says when one more will pass', async () => {
      const limited = limiter('sliding', { period: 'minute', count: 10 })
      await take(limited, 10, at('10:00:30'))
      assert.deepEqual(wait(await limited.take('someone', at('10:00:30'))), [false, 36])
      assert.equal(passed(await take(limited, 2, at('10:01:06'))), 1)
      assert.deepEqual(wait(await limited.take('someone', at('10:01:06'))), [false, 6])
      assert.equal(passed(await take(limited, 2, at('10:01:12'))), 1)
    })

    test('sliding: after two windows of silence the whole limit is there', async () => {
      const limited = limiter('sliding', { period: 'minute', count: 4 })
      await take(limited, 4, at('10:00:00'))
      assert.equal(passed(await take(limited, 9, at('10:02:00'))), 4)
    })

    test('token-bucket: tokens flow in at an even rate, up to the limit', async () => {
      const limited = limiter('token-bucket', { period: 'minute', count: 6 })
      assert.equal(passed(await take(limited, 9, at('10:00:00'))), 6)
      assert.deepEqual(wait(await limited.take('someone', at('10:00:03'))), [false, 7])
      assert.equal(passed(await take(limited, 9, at('10:00:10'))), 1)
      assert.equal(passed(await take(limited, 9, at('10:00:30'))), 2)
      assert.equal(passed(await take(limited, 9, at('12:00:00'))), 6)
    })

    test('token-bucket: a limit that does not divide its period is whole all the same', async () => {
      const limited = limiter('token-bucket', { period: 'minute', count: 7 })
      assert.equal(passed(await take(limited, 20, at('10:00:00'))), 7)
      assert.equal(passed(await take(limited, 20, at('10:01:00'))), 7)
    })
  })
}
