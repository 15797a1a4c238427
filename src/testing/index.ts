export { startTestCluster, type TestCluster } from './cluster.ts'
export * from './load/index.ts'
export { type RedisServer, redisMissing, startRedisServer } from './redis-fixture.ts'
export { until } from './until.ts'
