import { isCode, isTest, lineAt, type Source, type Violation } from './source.ts'

/** Limits of one file. */
export const FILE_LINES_MAX = 500
export const TEST_LINES_MAX = 800
export const LINE_LENGTH_MAX = 120
/**
 * A line that is long only by the text of a string, such as an error's message or a test's name, which is better not
 * broken.
 */
export const TEXT_LENGTH_MAX = 180

const FOLDERS_BANNED = ['utils', 'util', 'common', 'helpers', 'helper', 'shared', 'types', 'misc', 'lib']
const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*$/
const MIGRATION_NAME = /^\d{4}_[a-z0-9]+(?:[-_][a-z0-9]+)*\.sql$/

/** A pattern that must not occur. */
type Ban = {
  readonly rule: string
  readonly pattern: RegExp
  /** Where to look: code without comments and strings (the default), only its types, or the text as it is. */
  readonly look?: 'code' | 'types' | 'text'
  /** Allowed where a comment inside says why. */
  readonly unlessExplained?: true
  /** Paths where the pattern is allowed, each with the reason why. */
  readonly except?: readonly { readonly path: RegExp; readonly why: string }[]
  /** Only these paths are looked at. */
  readonly only?: RegExp
}

const TESTS = { path: /(?:\.test|\/contract|-fixture)\.ts$|^test\//, why: 'tests own their world and their time' }
const BENCH = { path: /^bench\//, why: 'a bench measures, prints and starts what it measures' }
const LOAD = { path: /^examples\/[^/]+\/load\//, why: 'a load script reports to people' }

export const BANS: readonly Ban[] = [
  {
    rule: 'console: publish a fact on a channel instead',
    pattern: /(?<![.\w$])console\.\w+/g,
    except: [{ path: /^src\/cli\//, why: 'commands print for people' }, BENCH, LOAD, TESTS],
  },
  {
    rule: 'process.env: only the runtime reads the environment',
    pattern: /\bprocess\.env\b/g,
    except: [
      { path: /^src\/runtime\//, why: 'the composition root' },
      { path: /^src\/cli\//, why: 'passes the environment to the runtime' },
      { path: /^src\/data\/engines\//, why: 'the embedded server is started with our PATH' },
      { path: /^examples\/[^/]+\/app\.ts$/, why: 'an application reads its own settings in one place' },
      TESTS,
      BENCH,
      LOAD,
    ],
  },
  {
    rule: 'Math.random: randomness comes from core',
    pattern: /\bMath\.random\b/g,
    except: [{ path: /^src\/core\//, why: 'core owns randomness' }],
  },
  {
    rule: 'reads the wall clock: time comes from core',
    pattern: /\bDate\.now\b|\bnew Date\(\s*\)/g,
    except: [{ path: /^src\/core\//, why: 'core owns time' }, TESTS, BENCH, LOAD],
  },
  {
    rule: 'sleeps: wait for a condition with until()',
    pattern: /\bsetTimeout\s*\(|\bawait delay\s*\(|\bsetTimeoutPromise\b/g,
    only: /\.test\.ts$/,
  },
  {
    rule: 'sleeps: wait for a condition with until()',
    pattern: /node:timers\/promises/g,
    look: 'text',
    only: /\.test\.ts$/,
  },
  {
    rule: 'a lone test: remove .only',
    pattern: /\b(?:test|it|describe|suite)\.only\b|\bonly:\s*true/g,
    only: /\.test\.ts$/,
  },
  { rule: 'any: use unknown and parse it', look: 'types', pattern: /(?<![.\w$])any(?![\w$:?(])/g },
  { rule: 'silences the type checker', pattern: /@ts-(?:ignore|nocheck)/g, look: 'text' },
  {
    rule: 'silences the type checker',
    pattern: /@ts-expect-error/g,
    look: 'text',
    except: [{ path: /\.test\.ts$/, why: 'asserts that something does not type-check' }],
  },
  { rule: 'unfinished: do it, or open an issue', pattern: /\b(?:TODO|FIXME|XXX|HACK)\b/g, look: 'text' },
  {
    rule: 'empty catch: handle it, or say why there is nothing to do',
    pattern: /\bcatch\s*(?:\([^)]*\)\s*)?\{\s*\}/g,
    unlessExplained: true,
  },
  {
    rule: 'empty catch: handle it, or say which error is expected',
    pattern: /\.catch\(\s*\(\s*\)\s*=>\s*\{\s*\}\s*\)/g,
  },
  { rule: 'enum: use a union of literals', pattern: /^[ \t]*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w/gm },
  { rule: 'namespace: a file is a module', pattern: /^[ \t]*(?:export\s+)?(?:declare\s+)?namespace\s+\w/gm },
  { rule: 'decorator', pattern: /^[ \t]*@[A-Za-z]/gm },
  { rule: 'eval', pattern: /\beval\s*\(|\bnew Function\s*\(/g },
  {
    rule: 'default export: name it',
    pattern: /^export default\b|\bas default\b/gm,
    except: [
      { path: /^(?:examples|bench|test)\/[^/]+\/app\.ts$/, why: 'the entry point of an application' },
      { path: /\.config\.ts$/, why: 'tools read the default export' },
      { path: /^test\/runner\//, why: 'the test runner reads the default export' },
      LOAD,
    ],
  },
  {
    rule: 'using: Node 22 cannot read it; write try and finally',
    pattern: /\busing\s+\w+\s*=/g,
    except: [TESTS],
  },
  {
    rule: 'ends or starts processes',
    pattern: /node:child_process|\bprocess\.kill\((?!\w+(?:\.\w+)*, 0\))/g,
    look: 'text',
    except: [
      { path: /^src\/data\/engines\//, why: 'starts and stops the embedded PostgreSQL' },
      { path: /^src\/cli\//, why: 'a command may start the processes of a topology' },
      { path: /^src\/testing\//, why: 'tests start and kill processes' },
      TESTS,
      BENCH,
    ],
  },
  {
    rule: "a machine's own path",
    pattern: /(?<![\w$.{}/-])\/(?:root|home|Users|work)\/[\w.-]+/g,
    look: 'text',
  },
]

/**
 * Everything that can be seen in one file without knowing the others: its name, its size, its lines, what is banned in
 * it.
 */
export function textViolations(source: Source): readonly Violation[] {
  return [
    ...nameViolations(source.path),
    ...sizeViolations(source),
    ...BANS.flatMap((ban) => banViolations(source, ban)),
  ]
}

function nameViolations(path: string): readonly Violation[] {
  const names = path.split('/')
  const file = names.at(-1) ?? ''
  const named = file.endsWith('.sql') ? MIGRATION_NAME.test(file) : NAME.test(file)
  const folders = names.slice(0, -1)
  const rules = [
    ...(named ? [] : ['file name: kebab-case, and 0001_name.sql for a migration']),
    ...folders.filter((name) => !NAME.test(name)).map((name) => `folder ${name}: kebab-case`),
    ...folders.filter((name) => FOLDERS_BANNED.includes(name)).map((name) => `folder ${name}: name what it holds`),
  ]
  return rules.map((rule) => ({ path, line: 1, rule }))
}

function sizeViolations({ path, text, code }: Source): readonly Violation[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  const linesMax = isTest(path) ? TEST_LINES_MAX : FILE_LINES_MAX
  const violations: Violation[] = []
  if (lines.length > linesMax) {
    violations.push({ path, line: linesMax + 1, rule: `${lines.length} lines: at most ${linesMax}` })
  }
  const codeLines = code.split('\n')
  lines.forEach((line, index) => {
    if (fits(line, codeLines[index] ?? '')) return
    violations.push({ path, line: index + 1, rule: `line of ${line.length} characters: at most ${LINE_LENGTH_MAX}` })
  })
  return violations
}

function fits(line: string, codeLine: string): boolean {
  if (line.length <= LINE_LENGTH_MAX || /https?:\/\/\S{40}/.test(line)) return true
  if (line.length > TEXT_LENGTH_MAX || /^\s*(?:\/\/|\/?\*|--)/.test(line)) return false
  return codeLine.trimEnd().replace(/(\S)\s{2,}/g, '$1 ').length <= LINE_LENGTH_MAX
}

function banViolations(source: Source, ban: Ban): readonly Violation[] {
  const { path } = source
  if (!isCode(path) && ban.look !== 'text') return []
  if (path.startsWith('test/tidy') || ban.except?.some((exception) => exception.path.test(path))) return []
  if (ban.only !== undefined && !ban.only.test(path)) return []
  const text = source[ban.look ?? 'code']
  const found = [...text.matchAll(ban.pattern)].filter((match) => {
    const passage = source.text.slice(match.index, match.index + match[0].length)
    return ban.unlessExplained !== true || !/\/\/|\/\*/.test(passage)
  })
  return found.map((match) => {
    const start = match.index + (match[0].length - match[0].trimStart().length)
    return { path, line: lineAt(text, start), rule: ban.rule }
  })
}
