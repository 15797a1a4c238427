import type { App } from '../core/index.ts'
import type { OpenCluster } from '../data/index.ts'
import {
  type BrokerDeclaration,
  type BrokerUse,
  brokerLag,
  openBroker,
  type PartitionLag,
  workFailed,
} from '../events/index.ts'
import { type RuntimeOptions, readOptions } from './options.ts'
import { processName } from './telemetry.ts'

/** The broker of EVENTS_URL with what the whole application needs of it; undefined when events stay in the log. */
export async function openEventsBroker(app: App, settings: RuntimeOptions): Promise<BrokerUse | undefined> {
  const { url, instanceId } = settings.eventsBroker
  if (url === undefined) return undefined
  const onFailure = (error: unknown) => workFailed.publish({ shard: -1, part: 'broker', error, retryInMs: 0 })
  const engine = await openBroker({ url, clientId: processName, instanceId, onFailure })
  return { engine, declaration: declarationOf(app, settings) }
}

/** What people are shown of EVENTS_URL: everything but who logs in, and how. */
export function eventsAddress({ eventsBroker: { url } }: RuntimeOptions): { readonly events?: string } {
  return url === undefined ? {} : { events: url.replace(/\/\/[^/@]*@/, '//').replace(/\?.*$/, '') }
}

/** For a command: how far groups are behind on the broker of EVENTS_URL; none when there is none. */
export async function lagAtBroker(cluster: OpenCluster, env: NodeJS.ProcessEnv): Promise<readonly PartitionLag[]> {
  const { url } = readOptions(env).eventsBroker
  if (url === undefined) return []
  const engine = await openBroker({ url, clientId: `${processName}-lag` })
  try {
    return await brokerLag(cluster, engine)
  } finally {
    await engine.close()
  }
}

/** Every topic that a service writes, and every service that consumes any. */
function declarationOf(app: App, { eventsBroker: { partitions, retentionMs } }: RuntimeOptions): BrokerDeclaration {
  const names = new Set(app.services.flatMap(({ emits }) => emits.map((type) => type.name)))
  return {
    topics: [...names].map((name) => ({ name, partitions, retentionMs })),
    groups: app.services
      .filter(({ consumers }) => consumers.length > 0)
      .map(({ name, consumers }) => ({ name, topics: consumers.map((consumer) => consumer.event.name) })),
  }
}
