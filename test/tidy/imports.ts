import { posix } from 'node:path'
import { DRIVERS, LAYERS, PUBLIC_ENTRIES } from './layers.ts'
import { isCode, isForTests, isTest, lineAt, type Source, type Violation } from './source.ts'

/** One import, re-export or dynamic import. `specifier` is as written. `erased` ones name types only and do not run. */
export type Import = {
  readonly path: string
  readonly line: number
  readonly specifier: string
  readonly erased: boolean
}

const STATEMENT = /(?:^|[;}\s])(?:import|export)\b(?:[\s\w$,*{}]|\btype\b)*?\bfrom\s*(['"])/g
const BARE_STATEMENT = /(?:^|[;}\s])import\s*(['"])/g
const CALL = /\b(?:import|require)\s*\(\s*(['"`])/g

/** Every import of a file, found on masked code and read from the text. */
export function importsOf(source: Source): readonly Import[] {
  if (!isCode(source.path)) return []
  const found = [STATEMENT, BARE_STATEMENT, CALL].flatMap((pattern) => [...source.code.matchAll(pattern)])
  return found.map((match) => {
    const start = match.index + match[0].length
    const end = source.code.indexOf(match[1] ?? '', start)
    const erased = /^\W*(?:import|export)\s+type\b/.test(match[0])
    return { path: source.path, line: lineAt(source.text, start), specifier: source.text.slice(start, end), erased }
  })
}

/** Every violation of the layers, of who may import what, and every import cycle between files. */
export function importViolations(sources: readonly Source[]): readonly Violation[] {
  const imports = sources.flatMap(importsOf)
  const broken = imports.flatMap((one) => {
    const rule = one.specifier.startsWith('.') ? brokenByPath(one) : brokenByPackage(one)
    return rule === undefined ? [] : [{ path: one.path, line: one.line, rule }]
  })
  return [...broken, ...cycles(imports)]
}

/** The folder of src/ a path lies in; `entry` for src/index.ts; undefined elsewhere. */
export function folderOf(path: string): string | undefined {
  const [root, folder, rest] = path.split('/')
  if (root !== 'src') return undefined
  return rest === undefined ? 'entry' : folder
}

function brokenByPath(one: Import): string | undefined {
  const target = targetOf(one)
  const from = folderOf(one.path)
  const to = folderOf(target)
  if (from !== undefined && from === to) return brokenInside(one.path, target)
  const fromRoot = one.path.split('/').slice(0, one.path.startsWith('examples/') ? 2 : 1)
  const ofExamples = target.startsWith('examples/') && /^(?:test|bench)\//.test(one.path)
  if (ofExamples) return undefined
  if (to === undefined) {
    return target.startsWith(`${fromRoot.join('/')}/`)
      ? undefined
      : `imports ${target}, which is not part of ${fromRoot.join('/')}`
  }
  if (one.path.startsWith('examples/')) return `examples import the package by name, not ${target}`
  // A folder's fixture is for tests, its own and those that cross folders; its index.ts is for what runs.
  if (one.path.startsWith('test/') && target.endsWith('-fixture.ts')) return undefined
  if (target !== 'src/index.ts' && target !== `src/${to}/index.ts`) return `imports ${to} past its index.ts: ${target}`
  if (from === undefined || from === 'entry' || isTest(one.path)) return undefined
  if (LAYERS[from] === undefined) return `folder ${from} has no row in the import table`
  return LAYERS[from].includes(to) ? undefined : `${from} may not import ${to}`
}

function brokenInside(path: string, target: string): string | undefined {
  if (target === `src/${folderOf(path)}/index.ts` && !isTest(path)) return "imports its own folder's index.ts"
  return isTest(target) ? `imports the test file ${target}` : undefined
}

function brokenByPackage(one: Import): string | undefined {
  const { specifier, path } = one
  if (specifier.startsWith('node:')) return specifier === 'node:test' ? brokenByTestRunner(path) : undefined
  if (specifier === 'groundswell' || specifier.startsWith('groundswell/')) {
    if (path.startsWith('src/')) return 'imports the package by its own name'
    return PUBLIC_ENTRIES.includes(specifier) ? undefined : `${specifier} is not a public entry`
  }
  const driver = DRIVERS.find(({ name }) => name.test(specifier))
  if (driver === undefined || driver.where.test(path) || isForTests(path) || path.startsWith('bench/')) return undefined
  return `driver ${specifier} outside of the folders of its engine`
}

function brokenByTestRunner(path: string): string | undefined {
  return isForTests(path) ? undefined : 'node:test outside of tests, contracts, fixtures and src/testing'
}

function targetOf(one: Import): string {
  return posix.normalize(posix.join(posix.dirname(one.path), one.specifier))
}

/**
 * Cycles between files, each reported once. Depth-first: a file met again while open closes one. Imports of types only
 * do not count: they are gone before anything runs, and two types that name each other are one design.
 */
function cycles(imports: readonly Import[]): readonly Violation[] {
  const graph = new Map<string, Import[]>()
  for (const one of imports) {
    if (one.specifier.startsWith('.') && !one.erased) graph.set(one.path, [...(graph.get(one.path) ?? []), one])
  }
  const violations: Violation[] = []
  const done = new Set<string>()
  const open: string[] = []
  const visit = (path: string) => {
    open.push(path)
    for (const one of graph.get(path) ?? []) {
      const target = targetOf(one)
      const start = open.indexOf(target)
      if (start !== -1) {
        violations.push({ path, line: one.line, rule: `import cycle: ${[...open.slice(start), target].join(' → ')}` })
      } else if (!done.has(target)) {
        visit(target)
      }
    }
    open.pop()
    done.add(path)
  }
  for (const path of graph.keys()) if (!done.has(path)) visit(path)
  return violations
}
