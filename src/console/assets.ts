import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join, relative, sep } from 'node:path'
import { gzipSync } from 'node:zlib'
import { acceptsGzip } from './answer.ts'

/** One file of the built console, ready to send. */
type Asset = {
  readonly body: Buffer
  readonly packed: Buffer | undefined
  readonly type: string
  readonly etag: string
  readonly cacheControl: string
}

/**
 * The built console by URL path. Read once, as a whole, so that a path of a request is a key of this map and never a
 * path of the file system: there is nothing to climb out of.
 */
export type Assets = ReadonlyMap<string, Asset>

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

/** Reads the built console. Undefined when it has not been built. */
export async function loadAssets(folder: string): Promise<Assets | undefined> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  })
  const files = entries?.filter((entry) => entry.isFile() && TYPES[extname(entry.name)] !== undefined) ?? []
  const assets = await Promise.all(
    files.map(async (entry): Promise<[string, Asset]> => {
      const file = join(entry.parentPath, entry.name)
      const path = `/${relative(folder, file).replaceAll(sep, '/')}`
      return [path === '/index.html' ? '/' : path, assetOf(path, await readFile(file))]
    }),
  )
  const byPath = new Map(assets)
  return byPath.has('/') ? byPath : undefined
}

function assetOf(path: string, body: Buffer): Asset {
  const type = TYPES[extname(path)] ?? 'application/octet-stream'
  // Names under /assets/ carry a hash of what is in them, so they never change; the page that names them may.
  const cacheControl = path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  return { body, packed: type.startsWith('font/') ? undefined : gzipSync(body), type, etag, cacheControl }
}

export function sendAsset(request: IncomingMessage, response: ServerResponse, asset: Asset): void {
  const { etag, cacheControl, packed, type } = asset
  const headers = { etag, 'cache-control': cacheControl, vary: 'accept-encoding' }
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, headers).end()
    return
  }
  const isPacked = packed !== undefined && acceptsGzip(request)
  const body = isPacked ? packed : asset.body
  response.writeHead(200, {
    ...headers,
    'content-type': type,
    'content-length': body.length,
    ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** What the console's address shows until it has been built: the API works without it. */
export function sendUnbuilt(response: ServerResponse): void {
  response.writeHead(503, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
  response.end(UNBUILT)
}

const UNBUILT = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Groundswell console: not built</title>
<h1>The console has not been built</h1>
<p>Its pages are made from <code>console/</code> when packages are installed. Build them, then reload this page:</p>
<pre>npm run build:console</pre>
<p>The application runs all the same, and <a href="/api/verdict">/api/verdict</a> says how it is.</p>
</html>
`
