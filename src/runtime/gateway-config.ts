import assert from 'node:assert/strict'
import type { App, Lifecycle } from '../core/index.ts'
import type { OpenCluster } from '../data/index.ts'
import {
  type ConfigStore,
  createConfigStore,
  createDeclarativeStore,
  type DeclarativeStore,
  followConfigFile,
  type PluginDefinition,
} from '../gateway/index.ts'
import { gatewaySeedOf } from './gateway-routes.ts'
import type { RuntimeOptions } from './options.ts'

/** Where the gateway's configuration is. Starting it reads it; stopping ends what follows its changes. */
export type GatewayConfiguration = Lifecycle & {
  readonly store: ConfigStore
  /** The store, when it is without a database. */
  readonly declarative: DeclarativeStore | undefined
}

export type GatewayConfigurationParts = {
  readonly app: App
  readonly settings: Pick<RuntimeOptions, 'gatewayConfig'>
  /** Undefined only where the settings name a file. */
  readonly cluster: OpenCluster | undefined
  readonly plugins: readonly PluginDefinition[]
}

/** The file that the settings name, which is then all there is; else the database, seeded by the application. */
export function gatewayConfigurationOf(parts: GatewayConfigurationParts): GatewayConfiguration {
  const { app, settings, cluster, plugins } = parts
  if (settings.gatewayConfig !== undefined) return fileConfiguration(settings.gatewayConfig, plugins)
  assert.ok(cluster, 'without a file the configuration is in the database')
  const store = createConfigStore({ cluster, plugins })
  return {
    store,
    declarative: undefined,
    async start() {
      await store.start()
      await store.seed(gatewaySeedOf(app))
    },
    stop: (options) => store.stop(options),
  }
}

function fileConfiguration(path: string, plugins: readonly PluginDefinition[]): GatewayConfiguration {
  const store = createDeclarativeStore({ plugins })
  const file = followConfigFile({ path, store })
  return { store, declarative: store, start: () => file.start(), stop: (options) => file.stop(options) }
}
