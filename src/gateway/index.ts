export { type AdminApi, type AdminApiOptions, createAdminApi } from './admin/admin-api.ts'
export type { AdminInfo, ConnectionCounts } from './admin/information.ts'
export * from './channels.ts'
export { fieldsOf } from './config/catalog.ts'
export { adminRequestFailed, configFileLoaded, configFileRefused, configReloadFailed } from './config/channels.ts'
export type * from './config/entities.ts'
export { gatewayMigrations } from './config/migrations.ts'
export type { EntityCheck, Field, NamedField } from './config/schema.ts'
export type { GatewaySeed, SeedPlugin } from './config/seed.ts'
export { type ConfigStoreOptions, createConfigStore, type SeedingConfigStore } from './config/store.ts'
export type * from './config/upstream-entities.ts'
export { type ConfigFileOptions, followConfigFile } from './declarative/config-file.ts'
export { readConfigText } from './declarative/config-text.ts'
export { createDeclarativeStore, type DeclarativeStore } from './declarative/declarative-store.ts'
export { type HeaderName, headerName } from './exchange.ts'
export {
  type ExchangeFormat,
  type ExportedConfig,
  exportConfig,
  type ImportedConfig,
  importConfig,
} from './exchange-formats/exchange.ts'
export type { RequestOutcome } from './finished.ts'
export { createGateway, type Gateway, type GatewayOptions, type GatewayStats } from './gateway.ts'
export {
  createFileLog,
  gatewayPlugin,
  type OwnPhases,
  type OwnPlugin,
  type PluginDefinition,
  type PluginExchange,
  type PluginScope,
  plugins as installedPlugins,
  withOwnPlugins,
} from './plugins/index.ts'
export type { BodyFilter, ResponseHead } from './response-head.ts'
export { compileRouter } from './router.ts'
export { selfSigned } from './self-signed.ts'
export type { Upstream } from './upstream.ts'
