import assert from 'node:assert/strict'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

const CONSOLE = join(import.meta.dirname, '..', 'console')
const FOLDERS_ASIDE = new Set(['dist', 'node_modules'])

/**
 * That `console/dist`, which the shop shows, is of the console's present source. Tests read it and do not write it:
 * they run side by side, and whoever reads while another builds finds half of it. `npm test` builds it beforehand.
 */
export async function assertConsoleBuilt(): Promise<void> {
  const built = await writtenAtMs(join(CONSOLE, 'dist', 'index.html')).catch(() => 0)
  const names = await readdir(CONSOLE, { recursive: true })
  const sources = names.filter((name) => !FOLDERS_ASIDE.has(name.split('/')[0] ?? '') && !name.endsWith('.test.ts'))
  const newest = Math.max(...(await Promise.all(sources.map((name) => writtenAtMs(join(CONSOLE, name))))))
  assert.ok(built >= newest, 'console/dist is missing or older than its source: npm run build:console')
}

async function writtenAtMs(path: string): Promise<number> {
  const found = await stat(path)
  return found.isFile() ? found.mtimeMs : 0
}
