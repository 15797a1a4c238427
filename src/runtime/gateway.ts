import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { App, Lifecycle } from '../core/index.ts'
import type { OpenCluster } from '../data/index.ts'
import {
  type AdminInfo,
  createAdminApi,
  createConfigStore,
  createGateway,
  type Gateway,
  installedPlugins,
  type ServiceEntity,
  type Upstream,
} from '../gateway/index.ts'
import type { ServiceHost } from '../service/index.ts'
import { gatewaySeedOf } from './gateway-routes.ts'
import type { RuntimeOptions } from './options.ts'

/** Kong's last open release: clients of the Admin API read what it can do from its version. */
const KONG_VERSION = '3.9.1'

export type RunningGateway = {
  readonly addresses: { readonly gateway: string; readonly admin: string }
  /** The key of a consumer, if it has one. */
  readonly keyOf: (consumer: string) => string | undefined
  readonly stop: Lifecycle['stop']
}

export type GatewayParts = {
  readonly app: App
  readonly settings: RuntimeOptions
  readonly cluster: OpenCluster
  /** Services of this process by name: the gateway calls these without a network hop. */
  readonly hosts: ReadonlyMap<string, ServiceHost>
}

/**
 * Starts the configuration store, the Admin API and the gateway, with the application's services and routes in place.
 */
export async function startGateway({ app, settings, cluster, hosts }: GatewayParts): Promise<RunningGateway> {
  const store = createConfigStore({ cluster, plugins: installedPlugins })
  const gateway = createGateway({ config: store, resolve: resolver(app, settings, hosts), version: KONG_VERSION })
  const info: AdminInfo = {
    version: KONG_VERSION,
    hostname: hostname(),
    nodeId: randomUUID(),
    connections: () => connectionCounts(gateway),
  }
  const admin = createAdminApi({ store, plugins: installedPlugins, info, token: settings.admin.token })
  const stop: Lifecycle['stop'] = async (options) => {
    await gateway.close(options)
    await admin.close(options)
    await store.stop(options)
  }
  try {
    await store.start()
    await store.seed(gatewaySeedOf(app))
    const adminPort = (await admin.listen(settings.admin)).port
    const gatewayPort = (await gateway.listen(settings.gateway)).port
    return {
      addresses: {
        gateway: `http://${printable(settings.gateway.host)}:${gatewayPort}`,
        admin: `http://${printable(settings.admin.host)}:${adminPort}`,
      },
      keyOf(username) {
        const { consumers, keyAuthCredentials } = store.snapshot()
        const id = consumers.find((consumer) => consumer.username === username)?.id
        return keyAuthCredentials.find((credential) => credential.consumer?.id === id)?.key
      },
      stop,
    }
  } catch (error) {
    await stop({ deadlineAtMs: 0 })
    throw error
  }
}

/**
 * The application's services by their host name: in this process, or where `<NAME>_URL` says. Others by their own host.
 */
function resolver(app: App, settings: RuntimeOptions, hosts: ReadonlyMap<string, ServiceHost>) {
  const names = new Set(app.services.map((service) => service.name))
  return (service: ServiceEntity): Upstream | undefined => {
    const host = hosts.get(service.host)
    if (host !== undefined) return { kind: 'local', dispatch: host.dispatch }
    return names.has(service.host) ? { kind: 'remote', origin: settings.originOf(service.host) } : undefined
  }
}

function connectionCounts(gateway: Gateway): ReturnType<AdminInfo['connections']> {
  const { connectionsAccepted, connectionsActive, requestsActive, requestsTotal } = gateway.stats()
  return {
    accepted: connectionsAccepted,
    active: connectionsActive,
    handled: connectionsAccepted,
    reading: 0,
    writing: requestsActive,
    waiting: Math.max(0, connectionsActive - requestsActive),
    requests: requestsTotal,
  }
}

/** The name people use for an address that means every interface, or this machine. */
export function printable(host: string): string {
  return ['0.0.0.0', '::', '127.0.0.1', '::1'].includes(host) ? 'localhost' : host
}
