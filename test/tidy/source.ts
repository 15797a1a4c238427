import { readdirSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join, sep } from 'node:path'
import { mask } from './mask.ts'

/** One source file, read once for all rules. Offsets and lines agree between the three texts. */
export type Source = {
  /** Path from the repository's root, with slashes. */
  readonly path: string
  readonly text: string
  /** The text with comments and the insides of strings and regular expressions blanked out. */
  readonly code: string
  /** `code` without types: what runs. */
  readonly bare: string
  /** What `bare` leaves out of `code`. */
  readonly types: string
}

/** A rule broken at a place. */
export type Violation = { readonly path: string; readonly line: number; readonly rule: string }

/** Folders that hold source, and so are held to the rules. */
const ROOTS = ['src', 'examples', 'test', 'bench', 'bin', 'console']
const SOURCE_NAME = /\.(?:ts|tsx|js|mjs|sql)$/

/** Every source file under the repository's root, in order of path. */
export function readSources(root: string): readonly Source[] {
  const names = ROOTS.flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
  return names
    .filter((entry) => entry.isFile() && SOURCE_NAME.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('node_modules') && !path.startsWith(join(root, 'console/dist')))
    .sort()
    .map((path) => sourceOf(path.slice(root.length + 1).replaceAll(sep, '/'), readFileSync(path, 'utf8')))
}

/** A source from its text. Text that is no valid TypeScript keeps its types: tsc says what is wrong with it. */
export function sourceOf(path: string, text: string): Source {
  if (!isCode(path)) return { path, text, code: text, bare: text, types: '' }
  const code = mask(text)
  const bare = mask(withoutTypes(path, text))
  const types = Array.from(code, (character, offset) =>
    bare[offset] === ' ' || character === '\n' ? character : ' ',
  ).join('')
  return { path, text, code, bare, types }
}

export function isCode(path: string): boolean {
  return !path.endsWith('.sql')
}

export function isTest(path: string): boolean {
  return path.endsWith('.test.ts')
}

/** What tests are made of: they themselves, the suites that engines must pass, and what sets up their world. */
export function isForTests(path: string): boolean {
  return /(?:\.test|(?:^|[-/])contract|-fixture)\.ts$/.test(path) || /^(?:test|src\/testing)\//.test(path)
}

/** The line, from 1, that the offset is on. */
export function lineAt(text: string, offset: number): number {
  let line = 1
  for (let index = text.indexOf('\n'); index !== -1 && index < offset; index = text.indexOf('\n', index + 1)) line++
  return line
}

function withoutTypes(path: string, text: string): string {
  if (!path.endsWith('.ts')) return text
  try {
    return stripTypeScriptTypes(text)
  } catch (error) {
    if (error instanceof SyntaxError) return text
    throw error
  }
}
