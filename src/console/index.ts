export * from './console.ts'
export type { ConsoleState } from './state.ts'
export type {
  Topology,
  TopologyEvent,
  TopologyPage,
  TopologyRoute,
  TopologyService,
  TopologyShard,
} from './topology.ts'
