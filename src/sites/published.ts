import type { SiteFolder } from './folder.ts'
import { digestOf, type FileContent, type Representation, representationOf } from './representation.ts'

/**
 * What a site's folder is on the web. Everything is looked up in a map of what was there at the start: a path that
 * climbs, or names a file elsewhere, is a path that is not in the map.
 *
 *     index.html            → ''              kept by nobody without asking: pages name the version of their assets
 *     product.html          → 'product', 'product.html'
 *     news/index.html       → 'news/'         ('news' redirects)
 *     assets/shop.css       → 'assets/VERSION/shop.css'  kept for a year: another version has another name
 *                             'assets/shop.css'          the same bytes, kept by nobody without asking
 *     404.html              what a browser gets for anything else
 *
 * The version is one for the whole folder of assets, since scripts import each other by relative names: a page of one
 * version then never meets a script of another.
 */
export type Published = {
  find(path: string): Found | undefined
  readonly notFoundPage: Representation | undefined
}

export type Found =
  | { readonly kind: 'file'; readonly representation: Representation; readonly isImmutable: boolean }
  | { readonly kind: 'redirect'; readonly to: string }

const ASSETS = 'assets/'
const NOT_FOUND_PAGE = '404.html'
/** The beginning of a link or source that depends on where the page is. */
const RELATIVE_REFERENCE = /(?<=\s(?:src|href)=["'])(?![/#]|\w+:)(?:\.\/)?/g
const VERSIONED = /^assets\/([\w-]{16})\/(.+)$/

export async function publish(folder: SiteFolder, sitePath: string): Promise<Published> {
  const version = versionOf(folder)
  const newestAtMs = Math.max(0, ...[...folder.values()].map(({ modifiedAtMs = 0 }) => modifiedAtMs))
  const files = new Map<string, Representation>()
  const redirects = new Map<string, string>()
  await Promise.all(
    [...folder].map(async ([path, content]) => {
      const isPage = path.endsWith('.html')
      const representation = await representationOf(isPage ? pageOf(path, content) : content)
      for (const name of namesOf(path)) files.set(name, representation)
      if (path.endsWith('/index.html')) redirects.set(path.slice(0, -'/index.html'.length), parentOf(path))
    }),
  )

  function pageOf(path: string, content: FileContent): FileContent {
    const versioned = content.bytes.toString('utf8').replace(assetReference(path), (start) => `${start}${version}/`)
    // The page for what is not there is shown under any path: its links must not depend on it.
    const text = path === NOT_FOUND_PAGE ? versioned.replace(RELATIVE_REFERENCE, () => sitePath) : versioned
    // A page changes when its assets do, and then its date must too.
    return { ...content, bytes: Buffer.from(text), modifiedAtMs: newestAtMs }
  }

  return {
    notFoundPage: files.get(NOT_FOUND_PAGE),
    find(path) {
      const versioned = VERSIONED.exec(path)
      const asset = versioned === null ? undefined : files.get(ASSETS + versioned[2])
      // While releases change, pages of the other one ask here: they get what there is, and nobody keeps it.
      if (asset !== undefined) return { kind: 'file', representation: asset, isImmutable: versioned?.[1] === version }
      const representation = files.get(path)
      if (representation !== undefined) return { kind: 'file', representation, isImmutable: false }
      const to = redirects.get(path)
      return to === undefined ? undefined : { kind: 'redirect', to }
    },
  }
}

/** `src="assets/…"` and `href="assets/…"` in a page, or `../assets/…` as many folders down as the page is. */
function assetReference(path: string): RegExp {
  const depth = path.split('/').length - 1
  const up = depth === 0 ? '(?:\\./)?' : `(?:\\.\\./){${depth}}`
  return new RegExp(`\\s(?:src|href)=["']${up}assets/`, 'g')
}

function versionOf(folder: SiteFolder): string {
  const assets = [...folder].filter(([path]) => path.startsWith(ASSETS))
  return digestOf(assets.flatMap(([path, { bytes }]) => [path, '\0', String(bytes.length), '\0', bytes]))
}

function namesOf(path: string): readonly string[] {
  if (path === 'index.html' || path.endsWith('/index.html')) return [path, parentOf(path)]
  return path.endsWith('.html') ? [path, path.slice(0, -'.html'.length)] : [path]
}

/** `news/index.html` → `news/`; `index.html` → the empty path. */
function parentOf(path: string): string {
  return path.slice(0, path.length - 'index.html'.length)
}
