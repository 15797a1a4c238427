import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import {
  asyncApiOf,
  type Breach,
  checkEvents,
  type EventsCheck,
  openApiOf,
  parseReleased,
  type ReleasedEvents,
  releaseOf,
} from '../contracts/index.ts'
import type { App } from '../core/index.ts'
import { loadApp } from '../runtime/index.ts'
import { cliError } from './errors.ts'
import { note, print, printJson } from './output.ts'
import { atPath } from './path.ts'

export type CheckArguments = { readonly file?: string; readonly json?: boolean }
export type ReleaseArguments = CheckArguments & { readonly force?: boolean }
export type DocumentArguments = { readonly out?: string }

/** `groundswell events check`: exit code 1 when the application's events break what was released. */
export async function checkContracts(path: string, options: CheckArguments): Promise<number> {
  const app = await loadApp(path)
  const file = fileOf(path, options)
  const released = await atPath(file, '--file', () => readReleased(file))
  if (released === undefined) {
    throw cliError('CLI_RELEASE_MISSING', `there is no ${file}: write it with groundswell events release ${path}`)
  }
  const check = checkEvents(app, released)
  if (options.json) printJson({ file, ...check })
  else printCheck(check)
  return check.breaches.length === 0 ? 0 : 1
}

/** `groundswell events release`: what is declared now is what the next check compares with. */
export async function release(path: string, options: ReleaseArguments): Promise<number> {
  const app = await loadApp(path)
  const file = fileOf(path, options)
  const before = (await atPath(file, '--file', () => readReleased(file))) ?? { app: app.name, events: {} }
  const check = checkEvents(app, before)
  const isRefused = check.breaches.length > 0 && options.force !== true
  if (!isRefused) await writeJson(file, '--file', releaseOf(app))
  if (options.json) printJson({ file, written: !isRefused, ...check })
  else {
    printBreaches(check.breaches)
    if (!isRefused) for (const name of check.unreleased) print(`released  ${name}`)
    note(isRefused ? `nothing was written: ${check.breaches.length} breaking change(s)` : `${file} is written`)
  }
  return isRefused ? 1 : 0
}

/** `groundswell events docs`. */
export async function describeEvents(path: string, options: DocumentArguments): Promise<number> {
  return write(asyncApiOf(await loadApp(path), { version: await versionOfProject() }), options)
}

/** `groundswell api docs`. */
export async function describeRoutes(
  path: string,
  options: DocumentArguments & { readonly url: string },
): Promise<number> {
  const app: App = await loadApp(path)
  return write(openApiOf(app, { version: await versionOfProject(), url: options.url }), options)
}

async function write(document: unknown, { out }: DocumentArguments): Promise<number> {
  if (out === undefined) printJson(document)
  else {
    await writeJson(out, '--out', document)
    note(`${out} is written`)
  }
  return 0
}

function writeJson(file: string, option: string, value: unknown): Promise<void> {
  return atPath(file, option, () => writeFile(file, `${JSON.stringify(value, null, 2)}\n`))
}

function printCheck({ breaches, unreleased }: EventsCheck): void {
  printBreaches(breaches)
  for (const name of unreleased) print(`not released  ${name}`)
  const count = breaches.length === 0 ? 'Nothing breaks' : `${breaches.length} breaking change(s)`
  note(`${count}; ${unreleased.length} version(s) to release.`)
}

function printBreaches(breaches: readonly Breach[]): void {
  for (const { event, version, direction, path, why, remedy } of breaches) {
    print(`${event} v${version}${path === '' ? '' : ` at ${path}`} (${direction})`)
    print(`  ${why}`)
    print(`  ${remedy}`)
  }
}

function fileOf(app: string, { file }: CheckArguments): string {
  return file ?? join(dirname(app), 'events.lock.json')
}

async function readReleased(file: string): Promise<ReleasedEvents | undefined> {
  try {
    return parseReleased(await readFile(file, 'utf8'), file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Of the package.json in the folder where the command runs. */
async function versionOfProject(): Promise<string> {
  try {
    const project = JSON.parse(await readFile(resolve('package.json'), 'utf8')) as { readonly version?: string }
    return project.version ?? '0.0.0'
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '0.0.0'
    throw error
  }
}
