import { createFileLog, installedPlugins, type PluginDefinition } from '../gateway/index.ts'

/** The installed plugins, with what an operator must allow some of them. */
export function pluginsWith({ logDir }: { readonly logDir: string | undefined }): readonly PluginDefinition[] {
  const fileLog = createFileLog(logDir)
  return installedPlugins.map((plugin) => (plugin.name === fileLog.name ? fileLog : plugin))
}
