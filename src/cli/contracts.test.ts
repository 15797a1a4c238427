import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const SHOP = 'examples/shop/app.ts'

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groundswell-contracts-'))
})
after(() => rm(folder, { recursive: true, force: true }))

async function groundswell(...args: readonly string[]) {
  const child = spawn(process.execPath, ['bin/groundswell.js', ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, stdout, stderr }
}

test('the shop breaks nothing that it released', async () => {
  const { code, stdout, stderr } = await groundswell('events', 'check', SHOP)
  assert.deepEqual([code, stdout, stderr], [0, '', 'Nothing breaks; 0 version(s) to release.\n'])
})

test('C3 20: a breaking change fails the check with code 1, and is not released unless forced', async () => {
  const file = join(folder, 'events.lock.json')
  assert.equal((await groundswell('events', 'release', SHOP, '--file', file)).code, 0)
  const released = JSON.parse(await readFile(file, 'utf8'))
  released.events['order.confirmed']['1'].properties.name = { type: 'integer' }
  const changed = JSON.stringify(released)
  await writeFile(file, changed)
  const check = await groundswell('events', 'check', SHOP, '--file', file)
  assert.equal(check.code, 1)
  assert.match(
    check.stdout,
    /^order.confirmed v1 at name \(backward\)\n {2}what was written is not read: a value of type integer/,
  )
  const json = JSON.parse((await groundswell('events', 'check', SHOP, '--file', file, '--json')).stdout)
  assert.deepEqual([json.breaches.length, json.unreleased], [2, ['order.confirmed v1']])
  const refused = await groundswell('events', 'release', SHOP, '--file', file)
  assert.deepEqual([refused.code, await readFile(file, 'utf8')], [1, changed])
  assert.doesNotMatch(refused.stdout, /^released/m)
  assert.equal((await groundswell('events', 'release', SHOP, '--file', file, '--force')).code, 0)
  assert.equal((await groundswell('events', 'check', SHOP, '--file', file)).code, 0)
})

test('a check before the first release says how to make one', async () => {
  const { code, stderr } = await groundswell('events', 'check', SHOP, '--file', join(folder, 'none.json'))
  assert.equal(code, 1)
  assert.match(stderr, /CLI_RELEASE_MISSING: there is no .*none.json: write it with groundswell events release/)
})

for (const [command, name] of [
  ['events', 'asyncapi.json'],
  ['api', 'openapi.json'],
] as const) {
  test(`the shop's ${name} is what the command writes`, async () => {
    const kept = await readFile(join(ROOT, 'examples/shop', name), 'utf8')
    const { code, stdout } = await groundswell(command, 'docs', SHOP)
    assert.equal(code, 0)
    assert.ok(stdout === kept, `run: npx groundswell ${command} docs ${SHOP} --out examples/shop/${name}`)
  })
}

test('a path that cannot be written is one line that names it, the reason and the option', async () => {
  const attempts = [
    { args: ['deploy', 'kubernetes', SHOP, '--out', '/dev/null/z'], path: '/dev/null/z', option: '--out' },
    { args: ['events', 'docs', SHOP, '--out', '/nothere/x.json'], path: '/nothere/x.json', option: '--out' },
    { args: ['api', 'docs', SHOP, '--out', folder], path: folder, option: '--out' },
    { args: ['events', 'release', SHOP, '--file', folder], path: folder, option: '--file' },
  ]
  for (const { args, path, option } of attempts) {
    const { code, stdout, stderr } = await groundswell(...args)
    assert.ok(stderr.startsWith(`error CLI_PATH_UNUSABLE: ${path} cannot be used (E`), stderr)
    assert.ok(stderr.endsWith(`: name another place with ${option}\n`), stderr)
    assert.deepEqual([code, stdout, stderr.split('\n').length], [1, '', 2])
  }
})
