import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { generatedTables, withTable } from './tables.ts'

/** `npm run docs`: writes the tables of docs/ that are made from the code. */

const root = resolve(import.meta.dirname, '../..')
for (const table of await generatedTables(root)) {
  const path = join(root, table.page)
  const before = readFileSync(path, 'utf8')
  const after = withTable(before, table)
  if (after !== before) writeFileSync(path, after)
  console.log(`${table.page}: ${table.name} ${after === before ? 'is current' : 'written'}`)
}
