import { globSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { declaredErrors } from '../../src/core/index.ts'
import { describeOptions } from '../../src/runtime/index.ts'
import { describeMetrics } from '../../src/telemetry/index.ts'
import { LAYERS } from '../tidy/layers.ts'
import { capabilitiesTable } from './capabilities.ts'
import { eventCases } from './event-cases.ts'
import { pluginReference } from './plugins.ts'

/**
 * The tables in docs/ that are made from the code: between `<!-- generated: name -->` and `<!-- end: name -->`. `npm
 * run docs` writes them, test/docs.test.ts fails when they differ.
 */
export type GeneratedTable = { readonly page: string; readonly name: string; readonly text: string }

export async function generatedTables(root: string): Promise<readonly GeneratedTable[]> {
  return [
    { page: 'docs/errors.md', name: 'errors', text: await errorsTable(root) },
    { page: 'docs/limits.md', name: 'limits', text: await limitsTables(root) },
    { page: 'docs/configuration.md', name: 'configuration', text: configurationTable() },
    { page: 'docs/architecture.md', name: 'imports', text: importsTable() },
    { page: 'docs/events-cases.md', name: 'cases', text: eventCases(root) },
    { page: 'docs/plugins.md', name: 'plugins', text: pluginReference() },
    { page: 'docs/guides/telemetry.md', name: 'metrics', text: metricsTable() },
    { page: 'docs/guides/events.md', name: 'capabilities', text: await capabilitiesTable(root) },
  ]
}

/** The page with the table in its place. Throws when the page has no markers for it. */
export function withTable(page: string, table: GeneratedTable): string {
  const [start, end] = [`<!-- generated: ${table.name} -->`, `<!-- end: ${table.name} -->`]
  const from = page.indexOf(start)
  const to = page.indexOf(end)
  if (from === -1 || to < from) throw new Error(`${table.page} has no place for ${table.name}: ${start} … ${end}`)
  return `${page.slice(0, from)}${start}\n${table.text}\n${page.slice(to)}`
}

function importsTable(): string {
  const rows = Object.entries(LAYERS).map(
    ([folder, imports]) => `| ${folder} | ${imports.join(', ') || 'nothing here'} |`,
  )
  return ['| folder | may import |', '|---|---|', ...rows, "| examples | the package's public entries only |"].join(
    '\n',
  )
}

function configurationTable(): string {
  const rows = describeOptions().map(({ name, defaultValue, text }) => {
    return `| \`${name}\` | ${defaultValue === '' ? '' : `\`${defaultValue}\``} | ${cell(text)} |`
  })
  return ['| variable | default | meaning |', '|---|---|---|', ...rows].join('\n')
}

function metricsTable(): string {
  const rows = describeMetrics().map(({ name, type, labels, help }) => {
    const labelled = labels.map((label) => `\`${label}\``).join(', ')
    return `| \`${name}\` | ${type} | ${labelled} | ${cell(help)} |`
  })
  return ['| metric | type | labels | meaning |', '|---|---|---|---|', ...rows].join('\n')
}

/** Importing an errors.ts registers its errors. */
async function errorsTable(root: string): Promise<string> {
  for (const file of sourceFiles(root, 'errors.ts')) await import(join(root, file))
  const rows = [...declaredErrors()]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([code, spec]) => `| \`${code}\` | ${spec.status} | ${spec.retryable ? 'yes' : 'no'} | ${cell(spec.remedy)} |`)
  return ['| code | status | may pass by itself | what it means, what to do |', '|---|---|---|---|', ...rows].join('\n')
}

async function limitsTables(root: string): Promise<string> {
  const tables = await Promise.all(sourceFiles(root, 'limits.ts').map((file) => limitsTable(root, file)))
  return tables.join('\n\n')
}

async function limitsTable(root: string, file: string): Promise<string> {
  const module: Readonly<Record<string, unknown>> = await import(join(root, file))
  const text = readFileSync(join(root, file), 'utf8')
  const rows = [...text.matchAll(/^export const (\w+)/gm)].map((match) => {
    const name = match[1] ?? ''
    return `| \`${name}\` | ${shown(module[name])} | ${cell(commentBefore(text, match.index))} |`
  })
  return [`### ${file}`, '', '| limit | value | why |', '|---|---|---|', ...rows].join('\n')
}

function sourceFiles(root: string, name: string): readonly string[] {
  return globSync(`src/**/${name}`, { cwd: root })
    .map((path) => path.replaceAll(sep, '/'))
    .sort()
}

function shown(value: unknown): string {
  return typeof value === 'number' ? value.toLocaleString('en-US') : `\`${JSON.stringify(value)}\``
}

/** The text of the doc comment that ends right before `offset`, as one line. */
function commentBefore(text: string, offset: number): string {
  const comment = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*$/.exec(text.slice(0, offset))?.[1] ?? ''
  return comment.replace(/\n\s*\*? ?/g, ' ').trim()
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
