export { startTestCluster, type TestCluster } from './cluster.ts'
export * from './load/index.ts'
export { until } from './until.ts'
