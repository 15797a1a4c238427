import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/**
 * Puts the optional platform packages into package-lock.json that npm left out because the registry it asked does not
 * carry them. What they need is in their name (`cli-darwin-arm64`); their integrity is not known, so npm fills it in
 * when it installs one. Does nothing to a lock file that is whole.
 */

type Locked = {
  readonly version: string
  readonly dev?: boolean
  readonly license?: string
  readonly engines?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}
type Lock = { packages: Record<string, Locked> }

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const PROCESSORS = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64']

const file = join(resolve(import.meta.dirname, '../..'), 'package-lock.json')
const lock = JSON.parse(readFileSync(file, 'utf8')) as Lock
const added = Object.entries(lock.packages).flatMap(([path, locked]) => (path === '' ? [] : missingOf(locked)))
if (added.length > 0) {
  const packages = Object.entries({ ...lock.packages, ...Object.fromEntries(added) })
  lock.packages = Object.fromEntries(packages.sort(([left], [right]) => left.localeCompare(right, 'en')))
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
}
console.log(`package-lock.json: ${added.length} package(s) added`)

function missingOf(parent: Locked): readonly (readonly [string, Locked])[] {
  const optional = parent.optionalDependencies ?? {}
  return Object.entries(optional)
    .filter(([name]) => lock.packages[`node_modules/${name}`] === undefined)
    .map(([name, version]) => [`node_modules/${name}`, entryOf(name, version, parent)] as const)
}

function entryOf(name: string, version: string, parent: Locked): Locked {
  const words = name.slice(name.indexOf('/') + 1).split('-')
  const system = words.find((word) => SYSTEMS.includes(word))
  const processor = words.find((word) => PROCESSORS.includes(word))
  if (system === undefined || processor === undefined || !/^\d/.test(version)) {
    throw new Error(`cannot tell the platform of ${name}@${version}: add it to package-lock.json by hand`)
  }
  const { dev, license, engines } = parent
  const libc = words.some((word) => word.startsWith('musl')) ? ['musl'] : words.includes('gnu') ? ['glibc'] : undefined
  const entry = { version, cpu: [processor], dev, libc, license, optional: true, os: [system], engines }
  return JSON.parse(JSON.stringify(entry)) as Locked
}
