import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { declaredErrors } from '../src/core/index.ts'
import { eventCaseProblems } from './docs/event-cases.ts'
import { generatedTables, withTable } from './docs/tables.ts'

/** What the documents say about the code, compared with the code. */

const ROOT = resolve(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const PAGES = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md', { cwd: ROOT })].sort()

const EXCERPT_LINES_MAX = 20

type Package = {
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

const manifest = JSON.parse(read('package.json')) as Package

for (const table of await generatedTables(ROOT)) {
  test(`${table.page} shows the ${table.name} of the code`, () => {
    const page = read(table.page)
    assert.equal(page, withTable(page, table), 'out of date: npm run docs')
  })
}

test('every case of the events has the tests that its list names, and every numbered test is in the list', () => {
  assert.deepEqual(eventCaseProblems(ROOT), [])
})

test('every dependency has its reason in docs/dependencies.md, and nothing else has', () => {
  const names = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).sort()
  const rows = [...read('docs/dependencies.md').matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1] ?? '').sort()
  assert.deepEqual(rows, names)
})

test('the README shows passages of the example as they are, and of all no more than twenty lines', () => {
  const shown = [...read('README.md').matchAll(/<!-- excerpt of: (\S+) -->\n```ts\n([\s\S]*?)```/g)]
  assert.ok(shown.length > 0, 'README.md shows no example')
  for (const [, path = '', text = ''] of shown) {
    assert.ok(text.split('\n').length - 1 <= EXCERPT_LINES_MAX, `README.md shows too much of ${path}`)
    assertPassagesOf(path, text, 'README.md')
  }
})

test('guides show passages of the examples as they are', () => {
  for (const page of PAGES.filter((name) => name.startsWith('docs/guides/'))) {
    for (const [, path = '', text = ''] of read(page).matchAll(/<!-- excerpt of: (\S+) -->\n```ts\n([\s\S]*?)```/g)) {
      assertPassagesOf(path, text, page)
    }
  }
})

function assertPassagesOf(path: string, text: string, page: string): void {
  let rest = read(path)
  for (const passage of text.split('// …\n')) {
    const at = rest.indexOf(passage)
    assert.ok(at >= 0, `${page} and ${path} differ, or are in another order:\n${passage}`)
    rest = rest.slice(at + passage.length)
  }
}

test('every link between pages leads somewhere', () => {
  const broken = PAGES.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
      .map((match) => match[1] ?? '')
      .filter((target) => !existsSync(join(ROOT, dirname(page), target)))
      .map((target) => `${page} links to ${target}`),
  )
  assert.deepEqual(broken, [])
})

test('every path that a page names exists', () => {
  const broken = PAGES.flatMap((page) =>
    [...read(page).matchAll(/`((?:src|test|examples|bench|docs|bin|\.ci)\/[\w./-]+)`/g)]
      .map((match) => match[1] ?? '')
      .filter((path) => !existsSync(join(ROOT, path)))
      .map((path) => `${page} names ${path}`),
  )
  assert.deepEqual(broken, [])
})

test('every npm script that a page names exists', () => {
  const broken = PAGES.flatMap((page) =>
    [...read(page).matchAll(/npm run ([a-z:-]+)/g)]
      .map((match) => match[1] ?? '')
      .filter((script) => manifest.scripts[script] === undefined)
      .map((script) => `${page} names npm run ${script}`),
  )
  assert.deepEqual(broken, [])
})

test('every error code that a page names is declared', () => {
  const prefixes = [...new Set([...declaredErrors().keys()].map((code) => code.split('_')[0]))].join('|')
  // Limits and environment variables look like codes.
  const others = read('docs/limits.md') + read('src/runtime/options.ts')
  const broken = PAGES.flatMap((page) =>
    [...read(page).matchAll(new RegExp(`\`((?:${prefixes})(?:_[A-Z0-9]+)+)\``, 'g'))]
      .map((match) => match[1] ?? '')
      .filter((code) => !declaredErrors().has(code) && !others.includes(code))
      .map((code) => `${page} names ${code}`),
  )
  assert.deepEqual(broken, [])
})
