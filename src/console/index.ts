export * from './console.ts'
export type {
  GatewayConfiguration,
  GatewayConsumer,
  GatewayPlugin,
  GatewayRoute,
  GatewayService,
  GatewayTarget,
  GatewayUpstream,
  TargetHealth,
} from './gateway/configuration.ts'
export type { ConsoleState } from './state.ts'
export type {
  Topology,
  TopologyEvent,
  TopologyPage,
  TopologyRoute,
  TopologyService,
  TopologyShard,
} from './topology.ts'
