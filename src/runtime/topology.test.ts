import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadApp } from './topology.ts'

type Broken = {
  readonly what: string
  readonly app?: string
  readonly other: string
  /** Of the folder, and what is said of it. */
  readonly place: string
  readonly why: string
}

const IMPORT = "import { other } from './other.ts'\nexport default other\n"

const BROKEN: readonly Broken[] = [
  {
    what: 'a syntax error in an imported file',
    other: 'const one = 1\nexport const other = = one\n',
    place: 'other.ts:2',
    why: 'Expression expected',
  },
  {
    what: 'an enum',
    other: 'export const other = 1\n\nexport enum Colour { Red }\n',
    place: 'other.ts:3',
    why: 'TypeScript enum is not supported in strip-only mode',
  },
  {
    what: 'an export that is missing',
    app: "import {\n  other,\n} from './other.ts'\nexport default other\n",
    other: 'export const another = 1\n',
    place: 'app.ts:2',
    why: "The requested module './other.ts' does not provide an export named 'other'",
  },
  {
    what: 'a file that is missing',
    other: "import {\n  one,\n} from './missing.ts'\nexport const other = one\n",
    place: 'other.ts:3',
    why: "Cannot find module '<folder>/missing.ts' imported from <folder>/other.ts",
  },
  {
    what: 'a package that is missing',
    other: "\nimport one from 'a-package-that-is-missing/of-two'\nexport const other = one\n",
    place: 'other.ts:2',
    why: "Cannot find package 'a-package-that-is-missing' imported from <folder>/other.ts",
  },
  {
    what: 'a value that is undefined',
    other:
      'const nothing = undefined as unknown as URL\nfunction read() {\n  return nothing.url\n}\nexport const other = read()\n',
    place: 'other.ts:3',
    why: "Cannot read properties of undefined (reading 'url')",
  },
  {
    what: 'a value that is used before it is there',
    app: "import './other.ts'\nexport const other = 1\n",
    other: "import { other } from './app.ts'\nexport const another = other\n",
    place: 'other.ts:2',
    why: "Cannot access 'other' before initialization",
  },
  {
    what: 'a throw of the platform',
    other: `import { app } from '${new URL('../core/index.ts', import.meta.url)}'\nexport const other = app('Shop', { services: [] })\n`,
    place: 'other.ts:2',
    why: 'app "Shop" has 1 problem(s):\n- name "Shop" must be kebab-case, like "order-service"',
  },
]

for (const { what, app = IMPORT, other, place, why } of BROKEN) {
  test(`an application that does not load names file and line: ${what}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'groundswell-app-'))
    try {
      await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
      await writeFile(join(folder, 'other.ts'), other)
      await writeFile(join(folder, 'app.ts'), app)
      await assert.rejects(loadApp(join(folder, 'app.ts')), {
        code: 'RUNTIME_APP_INVALID',
        message: `${join(folder, 'app.ts')} does not load: ${join(folder, place)}: ${why.replaceAll('<folder>', folder)}`,
      })
    } finally {
      await rm(folder, { recursive: true })
    }
  })
}
