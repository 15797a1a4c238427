import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { hasServices, memoryBytes, semiSpaceMiB } from './young-generation.ts'

const BIN = fileURLToPath(new URL('../../bin/groundswell.js', import.meta.url))
const MIB = 2 ** 20

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groundswell-young-'))
  // Says how it was started, then fails to be an application: nothing else is started.
  const says =
    'console.log(JSON.stringify({ id: process.pid, execArgv: process.execArgv, argv: process.argv.slice(2) }))'
  await writeFile(join(folder, 'app.js'), `${says}\n`)
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
})
after(() => rm(folder, { recursive: true, force: true }))

test('the young generation grows with the memory, and V8 decides where there is little', () => {
  assert.equal(semiSpaceMiB(512 * MIB), undefined)
  assert.equal(semiSpaceMiB(4_096 * MIB), undefined)
  assert.equal(semiSpaceMiB(8_192 * MIB), 128)
  assert.equal(semiSpaceMiB(16_384 * MIB), 256)
  assert.equal(semiSpaceMiB(262_144 * MIB), 256)
})

test('a gateway alone gets none of it: only services have much under way', () => {
  assert.equal(hasServices(['start', 'app.ts']), true)
  assert.equal(hasServices(['start', 'app.ts', '--only', 'gateway,order-service']), true)
  assert.equal(hasServices(['start', 'app.ts', '--only', 'gateway']), false)
  assert.equal(hasServices(['start', 'app.ts', '--only=gateway,console', '--json']), false)
})

type Started = { readonly id: number; readonly execArgv: readonly string[]; readonly argv: readonly string[] }

async function start(options: { readonly nodeArgs?: readonly string[]; readonly nodeOptions?: string }) {
  const file = join(folder, 'app.js')
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), BIN, 'start', file, '--only', 'a b'], {
    env: { ...process.env, NODE_OPTIONS: options.nodeOptions ?? '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  const line = stdout.split('\n').find((each) => each.startsWith('{'))
  assert.ok(line !== undefined, stderr)
  return { child, started: JSON.parse(line) as Started, stderr }
}

test('start begins anew with that size, as the same process and with the same words', async () => {
  const mib = semiSpaceMiB(memoryBytes())
  const { child, started, stderr } = await start({ nodeArgs: ['--stack-trace-limit=20'] })
  const size = mib === undefined || process.execve === undefined ? [] : [`--max-semi-space-size=${mib}`]
  assert.deepEqual(started.execArgv, ['--stack-trace-limit=20', ...size])
  assert.equal(started.id, child.pid)
  assert.deepEqual(started.argv, ['start', join(folder, 'app.js'), '--only', 'a b'])
  assert.doesNotMatch(stderr, /Warning/)
})

test('a size that somebody has given stays', async () => {
  const { started } = await start({ nodeArgs: ['--max-semi-space-size=32'] })
  assert.deepEqual(started.execArgv, ['--max-semi-space-size=32'])
  const { started: byVariable } = await start({ nodeOptions: '--max-semi-space-size=32' })
  assert.deepEqual(byVariable.execArgv, [])
})
