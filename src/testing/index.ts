export { startTestCluster, type TestCluster } from './cluster.ts'
export { until } from './until.ts'
