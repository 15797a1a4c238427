export * from './console.ts'
export type { ShownDeadLetter } from './events/dead-letter.ts'
export type { EventStates, GroupState, PlacePosition, TopicState } from './events/event-states.ts'
export type { EventsPort, GroupPosition } from './events/events-port.ts'
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
