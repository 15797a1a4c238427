export { type AdminApi, type AdminApiOptions, createAdminApi } from './admin/admin-api.ts'
export type { AdminInfo, ConnectionCounts } from './admin/information.ts'
export * from './channels.ts'
export { adminRequestFailed, configFileLoaded, configFileRefused, configReloadFailed } from './config/channels.ts'
export type * from './config/entities.ts'
export { gatewayMigrations } from './config/migrations.ts'
export type { GatewaySeed, SeedPlugin } from './config/seed.ts'
export { type ConfigStoreOptions, createConfigStore, type SeedingConfigStore } from './config/store.ts'
export type * from './config/upstream-entities.ts'
export { type ConfigFileOptions, followConfigFile } from './declarative/config-file.ts'
export { createDeclarativeStore, type DeclarativeStore } from './declarative/declarative-store.ts'
export {
  type ExchangeFormat,
  type ExportedConfig,
  exportConfig,
  type ImportedConfig,
  importConfig,
} from './exchange-formats/exchange.ts'
export { createGateway, type Gateway, type GatewayOptions, type GatewayStats } from './gateway.ts'
export { createFileLog, type PluginDefinition, plugins as installedPlugins } from './plugins/index.ts'
export { selfSigned } from './self-signed.ts'
export type { Upstream } from './upstream.ts'
