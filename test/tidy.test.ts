import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { functionViolations } from './tidy/functions.ts'
import { importsOf, importViolations } from './tidy/imports.ts'
import { mask } from './tidy/mask.ts'
import { textViolations } from './tidy/rules.ts'
import { readSources, type Source, sourceOf, type Violation } from './tidy/source.ts'

/** The rules of the code base, as a test: layers, sizes, names and what must not occur. CONTRIBUTING.md says why. */

function violationsOf(sources: readonly Source[]): readonly Violation[] {
  const code = sources.filter((source) => /\.tsx?$/.test(source.path))
  return [...sources.flatMap(textViolations), ...code.flatMap(functionViolations), ...importViolations(sources)]
}

function rulesOf(files: Readonly<Record<string, string>>): readonly string[] {
  const sources = Object.entries(files).map(([path, text]) => sourceOf(path, text))
  return violationsOf(sources).map((violation) => `${violation.path}:${violation.line}: ${violation.rule}`)
}

test('every file keeps the rules', () => {
  const violations = violationsOf(readSources(resolve(import.meta.dirname, '..')))
  const lines = violations.map(({ path, line, rule }) => `${path}:${line}: ${rule}`)
  assert.equal(lines.length, 0, `${lines.length} violation(s):\n${lines.join('\n')}`)
})

test('a folder that imports above its layer is caught', () => {
  assert.deepEqual(rulesOf({ 'src/data/pool.ts': "import { serve } from '../gateway/index.ts'\n" }), [
    'src/data/pool.ts:1: data may not import gateway',
  ])
})

test('a folder with no row in the import table is caught', () => {
  assert.deepEqual(rulesOf({ 'src/extra/a.ts': "import { now } from '../core/index.ts'\n" }), [
    'src/extra/a.ts:1: folder extra has no row in the import table',
  ])
})

test('an import past an index.ts is caught, in a test file too', () => {
  const text = "import type {\n  Clock,\n} from '../core/clock.ts'\n"
  assert.deepEqual(rulesOf({ 'src/data/pool.ts': text, 'src/data/pool.test.ts': text }), [
    'src/data/pool.ts:3: imports core past its index.ts: src/core/clock.ts',
    'src/data/pool.test.ts:3: imports core past its index.ts: src/core/clock.ts',
  ])
})

test('a test file may import above its layer', () => {
  assert.deepEqual(rulesOf({ 'src/data/pool.test.ts': "import { until } from '../testing/index.ts'\n" }), [])
})

test('a file that imports its own index.ts is caught', () => {
  assert.deepEqual(rulesOf({ 'src/data/pool.ts': "export * from './index.ts'\n" }), [
    "src/data/pool.ts:1: imports its own folder's index.ts",
  ])
})

test('a dynamic import is held to the layers', () => {
  assert.deepEqual(rulesOf({ 'src/core/a.ts': "export const later = () => import('../data/index.ts')\n" }), [
    'src/core/a.ts:1: core may not import data',
  ])
})

test('an import cycle between files is caught', () => {
  const files = { 'src/core/a.ts': "import { b } from './b.ts'\n", 'src/core/b.ts': "import { a } from './a.ts'\n" }
  assert.deepEqual(rulesOf(files), ['src/core/b.ts:1: import cycle: src/core/a.ts → src/core/b.ts → src/core/a.ts'])
})

test('types that name each other are no cycle', () => {
  const files = {
    'src/core/a.ts': "import type { B } from './b.ts'\n",
    'src/core/b.ts': "import { a } from './a.ts'\n",
  }
  assert.deepEqual(rulesOf(files), [])
})

test('an example that reaches into the package is caught', () => {
  const text = [
    "import { app } from 'groundswell'",
    "import { z } from 'zod'",
    "import { newId } from '../../src/core/index.ts'",
  ]
  assert.deepEqual(rulesOf({ 'examples/shop/a.ts': [...text, "import 'groundswell/data'", ''].join('\n') }), [
    'examples/shop/a.ts:3: examples import the package by name, not src/core/index.ts',
    'examples/shop/a.ts:4: groundswell/data is not a public entry',
  ])
})

test('an engine driver outside the folders of engines is caught', () => {
  const text = "import { Pool } from 'pg'\n"
  assert.deepEqual(
    rulesOf({ 'src/gateway/store.ts': text, 'src/data/pool.ts': text, 'src/gateway/store.test.ts': text }),
    ['src/gateway/store.ts:1: driver pg outside of the folders of its engine'],
  )
})

test('banned calls are caught, and what only looks like one is not', () => {
  const text = [
    'console.log(1)',
    'const home = process.env.HOME',
    'Math.random()',
    'const at = new Date()',
    'let x: Map<string, any>, any = 1',
    '// ' + 'TODO' + ': later',
    'try { run() } catch {}',
    'try { run() } catch (error) {\n  // never mind\n}',
    "const fine = 'console.log(1) as any'",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: source code as text
    'const alsoFine = /console.log/.test(`eval(${home})`)',
    'export default fine',
    '',
  ].join('\n')
  assert.deepEqual(
    rulesOf({ 'src/data/a.ts': text }).map((line) => line.replace('src/data/a.ts:', '')),
    [
      '1: console: publish a fact on a channel instead',
      '2: process.env: only the runtime reads the environment',
      '3: Math.random: randomness comes from core',
      '4: reads the wall clock: time comes from core',
      '5: any: use unknown and parse it',
      '6: unfinished: do it, or open an issue',
      '7: empty catch: handle it, or say why there is nothing to do',
      '13: default export: name it',
    ],
  )
})

test('what belongs in no test is caught', () => {
  const text = "test.only('a', async () => {\n  await new Promise((done) => setTimeout(done, 50))\n})\n"
  assert.deepEqual(rulesOf({ 'src/core/a.test.ts': text }), [
    'src/core/a.test.ts:2: sleeps: wait for a condition with until()',
    'src/core/a.test.ts:1: a lone test: remove .only',
  ])
})

test('what TypeScript can not strip is caught', () => {
  assert.deepEqual(rulesOf({ 'src/core/a.ts': 'export enum Color { Red }\nnamespace Old {}\n' }), [
    'src/core/a.ts:1: enum: use a union of literals',
    'src/core/a.ts:2: namespace: a file is a module',
  ])
})

test('bad names are caught', () => {
  assert.deepEqual(rulesOf({ 'src/core/utils/fooBar.ts': '', 'src/core/migrations/1-first.sql': '' }), [
    'src/core/utils/fooBar.ts:1: file name: kebab-case, and 0001_name.sql for a migration',
    'src/core/utils/fooBar.ts:1: folder utils: name what it holds',
    'src/core/migrations/1-first.sql:1: file name: kebab-case, and 0001_name.sql for a migration',
  ])
})

test('long files and long lines are caught', () => {
  const words = 'word '.repeat(24)
  const files = {
    'src/core/a.ts': 'a()\n'.repeat(501),
    'src/core/a.test.ts': `${'a'.repeat(121)}\n// ${words}\nconst b = '${words}'\nconst c = '${words}${words}'\n`,
  }
  assert.deepEqual(rulesOf(files), [
    'src/core/a.ts:501: 501 lines: at most 500',
    'src/core/a.test.ts:1: line of 121 characters: at most 120',
    'src/core/a.test.ts:2: line of 123 characters: at most 120',
    'src/core/a.test.ts:4: line of 252 characters: at most 120',
  ])
})

test('functions that are too long, too wide or too deep are caught', () => {
  const long = (head: string) => `${head} {\n${'  a()\n'.repeat(69)}}\n`
  const text = [
    long('export async function first(a: { b: string }): Promise<{ c: number }>'),
    long('const second = (a: number): string =>'),
    'function third({ a, b, c, d }: Options, e: number): void {}\n',
    'function fourth(a: number, b: Map<string, number>, c: string, d: string) {}\n',
    'function event(name: string, version: number, schema: Schema, options: Options) {}\n',
    'function fifth() { if (a) { for (;;) { while (b) { if (c) { d() } } } } }\n',
  ].join('')
  assert.deepEqual(
    rulesOf({ 'src/core/a.ts': text }).map((line) => line.replace('src/core/a.ts:', '')),
    [
      '1: function of 71 lines: at most 70',
      '72: function of 71 lines: at most 70',
      '144: 4 positional parameters: at most 3',
      '146: nested 4 deep: at most 3',
    ],
  )
})

test('a describe may be longer than a function, its tests may not', () => {
  const test70 = `  test('one', () => {\n${'    a()\n'.repeat(69)}  })\n`
  assert.deepEqual(rulesOf({ 'src/core/a.test.ts': `describe('a', () => {\n${test70}})\n` }), [
    'src/core/a.test.ts:2: function of 71 lines: at most 70',
  ])
})

test('masking keeps length and lines, and the code inside templates', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: source code as text
  const text = "const a = `x ${b ? `y ${c}` : 'z'} w` // end\nconst d = e / f / g; const h = /[/]'/.test(i)\n"
  const masked = mask(text)
  assert.equal(masked.length, text.length)
  // biome-ignore lint/suspicious/noTemplateCurlyInString: source code as text
  assert.equal(masked, "const a = `  ${b ? `  ${c}` : ' '}  `       \nconst d = e / f / g; const h = /    /.test(i)\n")
})

test('imports are found however they are laid out', () => {
  const text =
    "import a, { type B } from './a.ts'\nexport type { C } from './c.ts'\nimport './d.ts'\nconst e = 'from'\n// import './f.ts'\n"
  const found = importsOf(sourceOf('src/core/x.ts', text)).map((one) => `${one.line} ${one.specifier}`)
  assert.deepEqual(found.sort(), ['1 ./a.ts', '2 ./c.ts', '3 ./d.ts'])
})
