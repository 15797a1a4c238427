// What operators ask of a cluster: the command line sees the engines only through the runtime.

export { bucketDirectoryStriped, bucketOf, type OpenCluster } from '../data/index.ts'
export {
  type DeadLetter,
  deadLetters,
  FORWARDER,
  type FollowedEvent,
  follow,
  groupNames,
  type Lag,
  lag,
  moveGroup,
  outboxDepth,
  type ParkedCounts,
  type PartitionLag,
  parkedCounts,
  pauseGroup,
  type Replay,
  type ReplayStart,
  redrive,
  replayGroup,
  replaysPending,
  type SagaView,
  skipUnforwarded,
  type TopicState,
  topicStates,
  viewSaga,
} from '../events/index.ts'
export { readConfigText } from '../gateway/index.ts'
export { lagAtBroker } from './broker.ts'
export { openData, startDatabase } from './database.ts'
export { runtimeError } from './errors.ts'
export { exportGateway, importGateway } from './gateway-exchange.ts'
export { importFile } from './import-file.ts'
export { describeOptions, type RuntimeOptions, readOptions } from './options.ts'
export { type RejectionWatch, watchRejections } from './rejections.ts'
export { type RunningApp, type StartOptions, startApp } from './start.ts'
export { loadApp } from './topology.ts'
