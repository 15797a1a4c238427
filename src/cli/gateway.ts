import { readFile, writeFile } from 'node:fs/promises'
import { exportGateway, importGateway } from '../runtime/index.ts'
import { note, print, printJson } from './output.ts'

export type ExportArguments = {
  readonly format: 'kong' | 'apisix'
  readonly out?: string
  readonly adminUrl?: string
  readonly json?: boolean
}

export type ImportArguments = { readonly adminUrl?: string; readonly json?: boolean }

/** `groundswell gateway export`. The file is for its owner only: it holds keys. */
export async function exportFile({ format, out, adminUrl, json }: ExportArguments): Promise<number> {
  const { text, omitted } = await exportGateway(format, { env: process.env, adminUrl })
  if (out !== undefined) await writeFile(out, text, { mode: 0o600 })
  noteOmitted(omitted, format)
  if (json) printJson({ format, ...(out === undefined ? { text } : { out }), omitted })
  else if (out === undefined) print(text.trimEnd())
  else note(`written to ${out}`)
  return 0
}

/** `groundswell gateway import`. */
export async function importFile(file: string, { adminUrl, json }: ImportArguments): Promise<number> {
  const imported = await importGateway(await readFile(file, 'utf8'), { env: process.env, adminUrl })
  noteOmitted(imported.omitted, 'this gateway')
  if (json) printJson(imported)
  else print(`${imported.created} created, ${imported.updated} updated, ${imported.unchanged} unchanged`)
  return 0
}

function noteOmitted(omitted: readonly string[], where: string): void {
  if (omitted.length > 0) note(`without a counterpart in ${where}:`)
  for (const each of omitted) note(`  ${each}`)
}
