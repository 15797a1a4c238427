import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { App, Health } from '../core/index.ts'
import type { OpenCluster } from '../data/index.ts'
import {
  type AdminInfo,
  createAdminApi,
  createGateway,
  type Gateway,
  type GatewayConfig,
  type ServiceEntity,
  type Upstream,
} from '../gateway/index.ts'
import type { ServiceHost } from '../service/index.ts'
import { createSiteServer, type SiteServer } from '../sites/index.ts'
import type { Telemetry } from '../telemetry/index.ts'
import { gatewayConfigurationOf } from './gateway-config.ts'
import { pluginsWith } from './gateway-plugins.ts'
import { samplerForKong } from './kong-metrics.ts'
import type { RuntimeOptions } from './options.ts'
import { listenOn, originAt, wantedOf } from './ports.ts'
import type { StartedParts } from './started-parts.ts'

/** Kong's last open release: clients of the Admin API read what it can do from its version. */
const KONG_VERSION = '3.9.1'

export type RunningGateway = {
  readonly addresses: { readonly gateway: string; readonly admin: string }
  /** The key of a consumer, if it has one. */
  readonly keyOf: (consumer: string) => string | undefined
}

export type GatewayParts = {
  readonly app: App
  readonly settings: RuntimeOptions
  readonly started: StartedParts
  readonly health: Health
  /** Undefined only where the configuration is a file. */
  readonly cluster: OpenCluster | undefined
  /** Services of this process by name: the gateway calls these without a network hop. */
  readonly hosts: ReadonlyMap<string, ServiceHost>
  /** Whether the trace of one more request may be kept. */
  readonly sampleTrace: () => boolean
  /** What this process measures. */
  readonly telemetry: Pick<Telemetry, 'metrics' | 'beforeSeal'>
  /** For `GET /metrics` of the Admin API. */
  readonly metrics: Pick<AdminInfo, 'metrics'>
}

/**
 * Starts the configuration store, the Admin API and the gateway, with the application's services and routes in place.
 * Each is among the `started` parts as soon as it has something to stop.
 */
export async function startGateway(parts: GatewayParts): Promise<RunningGateway> {
  const { app, settings, started, health, cluster, hosts, metrics, sampleTrace, telemetry } = parts
  const plugins = pluginsWith({ logDir: settings.gatewayLogDir, own: app.gateway.plugins })
  const configuration = gatewayConfigurationOf({ app, settings, cluster, plugins })
  const { store, declarative } = configuration
  const keyOf = (username: string) => keyIn(store.snapshot(), username)
  const sites = await openSites(app, keyOf)
  const resolve = resolver(app, settings, new Map<string, InProcess>([...hosts, ...sites]))
  const gateway = createGateway({
    config: store,
    resolve,
    version: KONG_VERSION,
    sampleTrace,
    plugins,
    trustedIps: settings.trustedIps,
  })
  const info: AdminInfo = {
    version: KONG_VERSION,
    hostname: hostname(),
    nodeId: randomUUID(),
    connections: () => connectionCounts(gateway),
    ...metrics,
  }
  const { token } = settings.admin
  const { upstreams } = gateway
  const cachedResponses = () => gateway.cachedResponses()
  const admin = createAdminApi({ store, plugins, info, health, token, declarative, upstreams, cachedResponses })
  started.push('gateway configuration', (options) => configuration.stop(options))
  await configuration.start()
  const wanted = wantedOf(settings)
  started.push('Admin API', (options) => admin.close(options))
  const adminPort = await listenOn(wanted.admin, admin.listen)
  telemetry.beforeSeal(samplerForKong(telemetry.metrics, { store, info, upstreams }))
  started.push('gateway', (options) => gateway.close(options))
  const gatewayPort = await listenOn(wanted.gateway, (address) =>
    gateway.listen({ ...address, tlsPort: settings.gatewayTlsPort }),
  )
  return {
    addresses: {
      gateway: originAt(settings.gateway.host, gatewayPort),
      admin: originAt(settings.admin.host, adminPort),
    },
    keyOf,
  }
}

type InProcess = Pick<ServiceHost, 'dispatch'>

/** The sites run wherever the gateway does: their files are in every process of the application. */
async function openSites(app: App, keyOf: RunningGateway['keyOf']): Promise<ReadonlyMap<string, SiteServer>> {
  const servers = app.sites.map(async (site) => {
    const publishableKey = () => (site.consumer === undefined ? undefined : keyOf(site.consumer))
    return [site.name, await createSiteServer({ site, publishableKey })] as const
  })
  return new Map(await Promise.all(servers))
}

function keyIn({ consumers, keyAuthCredentials }: GatewayConfig, username: string): string | undefined {
  const id = consumers.find((consumer) => consumer.username === username)?.id
  return keyAuthCredentials.find((credential) => credential.consumer?.id === id)?.key
}

/**
 * The application's services and sites by their host name: in this process, or where `<NAME>_URL` says. Others by their
 * own host.
 */
function resolver(app: App, settings: RuntimeOptions, hosts: ReadonlyMap<string, InProcess>) {
  const names = new Set(app.services.map((service) => service.name))
  return (service: Pick<ServiceEntity, 'host'>): Upstream | undefined => {
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
