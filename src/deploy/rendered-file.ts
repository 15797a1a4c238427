import { createHash } from 'node:crypto'
import { stringify } from 'yaml'

/** A file to write. `path` is relative to the folder of the output, with forward slashes. */
export type RenderedFile = { readonly path: string; readonly text: string }

/** The same value gives the same text, byte by byte. Several values become documents of one file. */
export function yamlFile(path: string, documents: readonly unknown[], comment = ''): RenderedFile {
  const options = { lineWidth: 0, aliasDuplicateObjects: false }
  const notes = comment === '' ? '' : `${comment.replace(/^/gm, '# ').replace(/ +$/gm, '')}\n`
  return sealed(path, notes + documents.map((document) => stringify(document, options)).join('---\n'))
}

/**
 * Puts a first line above the text that says who wrote it and has a digest of it, so that a later run can tell its own
 * file from one that somebody wrote or changed.
 */
export function sealed(path: string, text: string): RenderedFile {
  const line = `Written by groundswell deploy, ${digestOf(text)}: a change by hand is noticed and not overwritten.`
  return { path, text: `${commented(path, line)}\n${text}` }
}

function commented(path: string, line: string): string {
  if (path.endsWith('.md')) return `<!-- ${line} -->`
  return path.endsWith('.sql') ? `-- ${line}` : `# ${line}`
}

/** Whether a file's text is as it was rendered, by whatever version. */
export function isUntouched(text: string): boolean {
  const [first = '', ...rest] = text.split('\n')
  const digest = /Written by groundswell deploy, (sha256:[0-9a-f]{16}):/.exec(first)?.[1]
  return digest !== undefined && digest === digestOf(rest.join('\n'))
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex').slice(0, 16)}`
}
