import type { App, Scale, ServiceDeclaration, Share } from '../core/index.ts'
import { deployError } from './errors.ts'
import { NAME_CHARACTERS_MAX } from './limits.ts'
import type { RenderOptions } from './options.ts'

/** A process of the fleet: what it runs, how it is reached, and how much it gets. */
export type Workload = {
  readonly name: string
  readonly component: 'gateway' | 'service' | 'console'
  /** Whether others send it requests: only then it needs a name in the network. */
  readonly isReached: boolean
  readonly ports: readonly Port[]
  /** Topics that the consumer group of this service reads; none when it has no consumers. */
  readonly topics: readonly string[]
  readonly scale: Required<Omit<Scale, 'requestsPerSecond'>> & Pick<Scale, 'requestsPerSecond'>
}

export type Port = { readonly name: 'http' | 'proxy'; readonly port: number }

/** Every process of a fleet answers probes and Prometheus here, and its services' routes. The runtime's default. */
const PROCESS_PORT: Port = { name: 'http', port: 8080 }
const PROXY_PORT: Port = { name: 'proxy', port: 8000 }

const SERVICE_SCALE = { replicas: 3, cpuMillis: share(100, 500), memoryMib: share(128, 512), lagEvents: 1_000 }
/** Every request goes through it, and it holds the connections of all clients. */
const GATEWAY_SCALE = { ...SERVICE_SCALE, cpuMillis: share(250, 1_000), memoryMib: share(256, 512) }
/** One is enough to look at, and it keeps what it shows in its memory. */
const CONSOLE_SCALE = { ...SERVICE_SCALE, replicas: 1, replicasMax: 1 }

type Sizes = Pick<RenderOptions, 'shards' | 'events' | 'partitions'>

/** The gateway, each service, and the console, in this order. Throws DEPLOY_NAME_UNUSABLE. */
export function workloadsOf(app: App, sizes: Sizes): readonly Workload[] {
  assertNames(app)
  return [
    {
      name: 'gateway',
      component: 'gateway',
      isReached: true,
      ports: [PROXY_PORT, PROCESS_PORT],
      topics: [],
      scale: scaleOf(GATEWAY_SCALE, app.gateway.scale),
    },
    ...app.services.map((service) => workloadOf(service, sizes)),
    {
      name: 'console',
      component: 'console',
      isReached: false,
      ports: [PROCESS_PORT],
      topics: [],
      scale: scaleOf(CONSOLE_SCALE),
    },
  ]
}

function workloadOf(service: ServiceDeclaration, { shards, events, partitions }: Sizes): Workload {
  const topics = service.consumers.map((consumer) => consumer.event.name)
  const scale = scaleOf(SERVICE_SCALE, service.scale)
  // A group reads each shard, or each partition, in one process at a time: of a pure consumer more replicas do nothing.
  const useful = Math.max(scale.replicas, events === 'postgres' ? shards : partitions)
  const replicasMax = service.routes.length === 0 ? Math.min(scale.replicasMax, useful) : scale.replicasMax
  return {
    name: service.name,
    component: 'service',
    isReached: true,
    ports: [PROCESS_PORT],
    topics,
    scale: { ...scale, replicasMax },
  }
}

function scaleOf(defaults: Scale & typeof SERVICE_SCALE, given: Scale = {}): Workload['scale'] {
  const scale = { ...defaults, ...given }
  return { ...scale, replicasMax: scale.replicasMax ?? scale.replicas * 4 }
}

function share(request: number, limit: number): Share {
  return { request, limit }
}

function assertNames(app: App): void {
  for (const { name } of app.services) {
    if (name === 'gateway' || name === 'console' || name.length > NAME_CHARACTERS_MAX) {
      throw deployError(
        'DEPLOY_NAME_UNUSABLE',
        `a service is named "${name}": in a cluster it needs a name of at most ${NAME_CHARACTERS_MAX} characters that is neither gateway nor console`,
      )
    }
  }
}
