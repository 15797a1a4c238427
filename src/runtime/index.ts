export { openData, startDatabase } from './database.ts'
export { describeOptions, type RuntimeOptions, readOptions } from './options.ts'
export { type RunningApp, type StartOptions, startApp } from './start.ts'
export { loadApp } from './topology.ts'
