import {
  type ExchangeFormat,
  type ExportedConfig,
  exportConfig,
  type ImportedConfig,
  importConfig,
} from '../gateway/index.ts'
import { pluginsWith } from './gateway-plugins.ts'
import { readOptions } from './options.ts'
import { originAt } from './ports.ts'

/** Which paths file-log may write to is for the gateway to say, not for the command. */
const plugins = pluginsWith({ logDir: '/', own: undefined })

export type GatewayExchange = {
  readonly env: NodeJS.ProcessEnv
  /** Of the Admin API; what the environment says when absent. */
  readonly adminUrl: string | undefined
}

/** The configuration of a running gateway as a file. */
export function exportGateway(format: ExchangeFormat, exchange: GatewayExchange): Promise<ExportedConfig> {
  return exportConfig(format, { admin: adminOf(exchange), plugins })
}

/** Brings what a file declares into a running gateway. */
export function importGateway(text: string, exchange: GatewayExchange): Promise<ImportedConfig> {
  return importConfig(text, { admin: adminOf(exchange), plugins })
}

function adminOf({ env, adminUrl }: GatewayExchange) {
  const { admin } = readOptions(env)
  return { url: (adminUrl ?? originAt(admin.host, admin.port)).replace(/\/$/, ''), token: admin.token }
}
