import { readFile, stat } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type GroundswellError, messageOf } from '../core/index.ts'

/** Makes the error of a file that cannot be used: the caller's own code, and what is wrong. */
type Refuse = (message: string, options?: { readonly cause: unknown }) => GroundswellError

/**
 * Imports a file that a user named for what it exports (`what`: `an application`), or throws what `refuse` makes of the
 * reason: there is no such file, or it does not load, with file and line of what is to be mended as far as Node knows.
 */
export async function importFile(
  file: string,
  { what, refuse }: { readonly what: string; readonly refuse: Refuse },
): Promise<{ readonly default?: unknown }> {
  if (!(await isFile(file))) throw refuse(`there is no file ${file}: name one that exports ${what}`)
  try {
    return (await import(pathToFileURL(file).href)) as { readonly default?: unknown }
  } catch (error) {
    const place = (await placeOfImport(error)) ?? placeOnStack(error)
    const why = `${place === undefined ? '' : `${place}: `}${messageOf(error)}`
    throw refuse(`${file} does not load: ${why}`, { cause: error })
  }
}

/** What `error.stack` begins with when a file cannot be read as code or linked: `file:line`, before the message. */
const HEAD = /^((?:file:\/\/|\/|[A-Za-z]:\\).+):(\d+)$/
/** A call on the stack: `    at name (file:line:column)`, or without a name and parentheses. */
const CALL = /^ {4}at (?:.*[ (])?((?:file:\/\/|\/|[A-Za-z]:\\)[^()]+):(\d+):\d+\)?$/
/** The platform's source, in whose place a user has nothing to mend. */
const PLATFORM = fileURLToPath(new URL('../', import.meta.url))

/** `file:line` of the user's files that an error leads to; undefined when its stack names none of them. */
function placeOnStack(error: unknown): string | undefined {
  const lines = error instanceof Error ? (error.stack ?? '').split('\n') : []
  for (const [index, line] of lines.entries()) {
    const [, where, number] = (index === 0 ? HEAD : CALL).exec(line) ?? []
    if (where === undefined) continue
    const file = pathOf(where)
    if (isOfUser(file)) return `${file}:${number}`
  }
  return undefined
}

/** What Node says of an import that leads nowhere: it names the file that imports, and no line. */
const MISSING = /^Cannot find (module|package) '(.+)' imported from (.+)$/
/** `from '…'`, `import '…'` and `import('…')`. */
const SPECIFIER = /\b(?:from|import)\s*\(?\s*(['"])(.+?)\1/g

/** `file:line` of an import that leads nowhere; undefined for other errors, and where the file has no such literal. */
async function placeOfImport(error: unknown): Promise<string | undefined> {
  if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) return undefined
  const [, kind, missing = '', importer = ''] = MISSING.exec(error.message) ?? []
  const file = pathOf(importer)
  if (kind === undefined || !isOfUser(file) || !(await isFile(file))) return undefined
  const leadsNowhere = (specifier: string) =>
    kind === 'package'
      ? specifier === missing || specifier.startsWith(`${missing}/`)
      : URL.parse(specifier, pathToFileURL(file).href)?.href === pathToFileURL(missing).href
  const text = await readFile(file, 'utf8')
  for (const { 0: all, 2: specifier = '', index } of text.matchAll(SPECIFIER)) {
    if (leadsNowhere(specifier)) return `${file}:${text.slice(0, index + all.length).split('\n').length}`
  }
  return undefined
}

function pathOf(where: string): string {
  return where.startsWith('file:') ? fileURLToPath(where) : where
}

function isOfUser(file: string): boolean {
  return !file.startsWith(PLATFORM) && !/[\\/]node_modules[\\/]/.test(file)
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw error
  }
}
