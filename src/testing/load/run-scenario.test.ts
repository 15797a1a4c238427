import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { loadScenario } from './run-scenario.ts'

type Refused = {
  readonly what: string
  /** What orders.ts holds; there is no such file when absent. */
  readonly text?: string
  /** Of the error, with <file> for the path of orders.ts. */
  readonly message: string
}

const NEEDS = 'it needs export default scenario({ name, summary, prepare, request })'

const REFUSED: readonly Refused[] = [
  { what: 'no file', message: 'there is no file <file>: name one that exports a scenario' },
  {
    what: 'a syntax error',
    text: 'const rate = 1\nexport const scenario = = rate\n',
    message: '<file> does not load: <file>:2: Expression expected',
  },
  {
    what: 'an import of a file that is missing',
    text: "import { randomUUID } from 'node:crypto'\nimport { keyOf } from './storefront.ts'\nexport default keyOf\n",
    message: "<file> does not load: <file>:2: Cannot find module '<folder>/storefront.ts' imported from <file>",
  },
  {
    what: 'a throw',
    text: "\n\nthrow new Error('no stock')\n",
    message: '<file> does not load: <file>:3: no stock',
  },
  {
    what: 'no default export',
    text: "export const orders = { name: 'orders' }\n",
    message: `<file> has no default export: ${NEEDS}`,
  },
  {
    what: 'a default export that is no object',
    text: 'export default () => 1\n',
    message: `the default export of <file> is no scenario (it must be an object, is function): ${NEEDS}`,
  },
  {
    what: 'a scenario that lacks what a run needs',
    text: "export default { name: 'orders', request: 'GET /', verify: 202 }\n",
    message:
      'the default export of <file> is no scenario (prepare must be a function, is undefined; ' +
      `request must be a function, is string; verify must be a function, is number): ${NEEDS}`,
  },
]

for (const { what, text, message } of REFUSED) {
  test(`a scenario that cannot be run says what is wrong, and where: ${what}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'groundswell-scenario-'))
    const file = join(folder, 'orders.ts')
    try {
      await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
      if (text !== undefined) await writeFile(file, text)
      await assert.rejects(loadScenario(pathToFileURL(file)), {
        code: 'LOAD_SCENARIO_INVALID',
        message: message.replaceAll('<file>', file).replaceAll('<folder>', folder),
      })
    } finally {
      await rm(folder, { recursive: true })
    }
  })
}
