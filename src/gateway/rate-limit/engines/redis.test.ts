import { redisMissing, startRedisServer } from '../../../testing/index.ts'
import { RedisConnection } from '../../stores/redis-connection.ts'
import { redisSettings } from '../../stores/redis-settings-fixture.ts'
import { limiterContract } from '../contract.ts'
import { redisLimiter } from './redis.ts'

limiterContract({
  name: 'Redis',
  skip: redisMissing(),
  async open() {
    const server = await startRedisServer()
    // Two connections in turn, as two gateways have them.
    const connections = [0, 1].map(() => new RedisConnection(redisSettings(server.url)))
    return {
      limiter(rules, name) {
        const limiters = connections.map((connection) => redisLimiter({ ...rules, name }, connection))
        let turn = 0
        return {
          take: async (identifier, nowMs) => {
            const limiter = limiters[turn++ % limiters.length]
            if (limiter === undefined) throw new Error('there are two')
            return limiter.take(identifier, nowMs)
          },
        }
      },
      async stop() {
        await Promise.all(connections.map((connection) => connection.stop()))
        await server.stop()
      },
    }
  },
})
