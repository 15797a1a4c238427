// What operators ask of a cluster: the command line sees the engines only through the runtime.

export { bucketDirectoryStriped, bucketOf, type OpenCluster } from '../data/index.ts'
export {
  type DeadLetter,
  deadLetters,
  type Lag,
  lag,
  outboxDepth,
  redrive,
  type SagaView,
  viewSaga,
} from '../events/index.ts'
export { openData, startDatabase } from './database.ts'
export { runtimeError } from './errors.ts'
export { exportGateway, importGateway } from './gateway-exchange.ts'
export { describeOptions, type RuntimeOptions, readOptions } from './options.ts'
export { type RunningApp, type StartOptions, startApp } from './start.ts'
export { loadApp } from './topology.ts'
