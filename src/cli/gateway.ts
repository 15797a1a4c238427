import { open } from 'node:fs/promises'
import { exportGateway, importGateway, readConfigText } from '../runtime/index.ts'
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
  if (out !== undefined) await writeOwn(out, text)
  noteOmitted(omitted, format)
  if (json) printJson({ format, ...(out === undefined ? { text } : { out }), omitted })
  else if (out === undefined) print(text.trimEnd())
  else note(`written to ${out}`)
  return 0
}

/** `groundswell gateway import`. */
export async function importFile(file: string, { adminUrl, json }: ImportArguments): Promise<number> {
  const imported = await importGateway(await readConfigText(file), { env: process.env, adminUrl })
  noteOmitted(imported.omitted, 'this gateway')
  if (json) printJson(imported)
  else print(`${imported.created} created, ${imported.updated} updated, ${imported.unchanged} unchanged`)
  return 0
}

/** A file that was there keeps its mode when it is written anew: it is closed to others before anything is in it. */
export async function writeOwn(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    if ((await file.stat()).isFile()) await file.chmod(0o600)
    await file.writeFile(text)
  } finally {
    await file.close()
  }
}

function noteOmitted(omitted: readonly string[], where: string): void {
  if (omitted.length > 0) note(`without a counterpart in ${where}:`)
  for (const each of omitted) note(`  ${each}`)
}
