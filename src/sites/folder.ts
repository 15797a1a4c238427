import type { Dirent } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf, type SiteDeclaration } from '../core/index.ts'
import { siteError } from './errors.ts'
import { SITE_BYTES_MAX, SITE_FILES_MAX } from './limits.ts'
import { mediaTypeOf } from './media-type.ts'
import type { FileContent } from './representation.ts'

/** A site's files by their path in its folder, with slashes: `index.html`, `assets/shop.css`. */
export type SiteFolder = ReadonlyMap<string, FileContent>

/**
 * Reads a whole site. Left out is what begins with a dot (`.git`, `.env`), and links, which may lead out of the folder.
 * Throws SITES_FOLDER_UNREADABLE or SITES_FOLDER_TOO_LARGE.
 */
export async function readSiteFolder({ name, folder }: SiteDeclaration): Promise<SiteFolder> {
  const root = fileURLToPath(folder)
  try {
    const entries = await readdir(root, { recursive: true, withFileTypes: true })
    const paths = entries.filter((entry) => entry.isFile()).map((entry) => pathIn(root, entry))
    const served = paths.filter((path) => !path.split('/').some((part) => part.startsWith('.'))).sort()
    await assertSize(name, root, served)
    return new Map(await Promise.all(served.map(async (path) => [path, await readContent(root, path)] as const)))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'SITES_FOLDER_TOO_LARGE') throw error
    throw siteError('SITES_FOLDER_UNREADABLE', `site ${name}: ${root} cannot be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

function pathIn(root: string, entry: Dirent): string {
  return relative(root, join(entry.parentPath, entry.name)).replaceAll(sep, '/')
}

/** Before anything is read: what is too large must not be in memory to be refused. */
async function assertSize(name: string, root: string, paths: readonly string[]): Promise<void> {
  const sizes = await Promise.all(
    paths.slice(0, SITE_FILES_MAX).map(async (path) => (await stat(join(root, path))).size),
  )
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  if (paths.length <= SITE_FILES_MAX && bytes <= SITE_BYTES_MAX) return
  throw siteError(
    'SITES_FOLDER_TOO_LARGE',
    `site ${name}: ${root} has ${paths.length} files of ${bytes} bytes or more; at most ${SITE_FILES_MAX} files of ${SITE_BYTES_MAX} bytes are served`,
  )
}

async function readContent(root: string, path: string): Promise<FileContent> {
  const file = join(root, path)
  const [bytes, { mtimeMs }] = await Promise.all([readFile(file), stat(file)])
  return { bytes, mediaType: mediaTypeOf(path), modifiedAtMs: mtimeMs }
}
