import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkFiles, type RenderedFile } from '../deploy/index.ts'
import { cliError } from './errors.ts'
import { note, print, printJson, table } from './output.ts'

const CHECKED = /\.ya?ml$|^Dockerfile$/

/** `groundswell deploy check`: what in a folder of manifests would go wrong. Exit code 1 when something would. */
export async function deployCheck(folder: string, { json }: { readonly json?: boolean }): Promise<number> {
  const files = await readFolder(folder)
  const findings = checkFiles(files)
  if (json) printJson({ files: files.map(({ path }) => path), findings })
  else if (findings.length > 0) {
    print(
      table(
        ['FILE', 'WHAT', 'RULE', 'WHY'],
        findings.map((found) => [found.file, found.subject, found.rule, found.message]),
      ),
    )
  }
  if (!json) note(`${files.length} files, ${findings.length} finding${findings.length === 1 ? '' : 's'}`)
  return findings.length === 0 ? 0 : 1
}

async function readFolder(folder: string): Promise<readonly RenderedFile[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw cliError('CLI_FOLDER_EMPTY', `${folder} cannot be read: name the folder that deploy wrote to`, { cause })
  })
  const checked = names.filter((name) => CHECKED.test(name)).sort()
  if (checked.length === 0) {
    throw cliError(
      'CLI_FOLDER_EMPTY',
      `${folder} has neither YAML files nor a Dockerfile: name the folder that deploy wrote to`,
    )
  }
  const all = names
    .sort()
    .map(async (path) => ({ path, text: CHECKED.test(path) ? await readFile(join(folder, path), 'utf8') : '' }))
  return Promise.all(all)
}
