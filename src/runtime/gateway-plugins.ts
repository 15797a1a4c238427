import type { GatewayPluginDeclaration } from '../core/index.ts'
import { createFileLog, installedPlugins, type PluginDefinition, withOwnPlugins } from '../gateway/index.ts'

export type PluginChoices = {
  /** Where `file-log` may write; undefined: nowhere. */
  readonly logDir: string | undefined
  /** The application's own plugins. */
  readonly own: readonly GatewayPluginDeclaration[] | undefined
}

/**
 * The installed plugins, with what an operator must allow some of them, and those of the application. Throws
 * GATEWAY_PLUGIN_INVALID.
 */
export function pluginsWith({ logDir, own = [] }: PluginChoices): readonly PluginDefinition[] {
  const fileLog = createFileLog(logDir)
  const installed = installedPlugins.map((plugin) => (plugin.name === fileLog.name ? fileLog : plugin))
  return withOwnPlugins(installed, own)
}
