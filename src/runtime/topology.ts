import { stat } from 'node:fs/promises'
import { isAbsolute, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type App, messageOf, type ServiceDeclaration } from '../core/index.ts'
import { runtimeError } from './errors.ts'

/** What of an application runs in this process. */
export type Topology = {
  readonly services: readonly ServiceDeclaration[]
  readonly gateway: boolean
  readonly console: boolean
  /** Whether this process is a part of a fleet: then its services listen on a port of their own. */
  readonly apart: boolean
}

/**
 * Everything, or what `only` names: services, `gateway`, `console`. Throws RUNTIME_SERVICE_UNKNOWN with every unknown
 * name.
 */
export function topologyOf(app: App, only?: readonly string[]): Topology {
  if (only === undefined) return { services: app.services, gateway: true, console: true, apart: false }
  const known = new Set([...app.services.map((service) => service.name), 'gateway', 'console'])
  const unknown = only.filter((name) => !known.has(name))
  if (unknown.length > 0 || only.length === 0) {
    throw runtimeError(
      'RUNTIME_SERVICE_UNKNOWN',
      `--only names ${unknown.length > 0 ? unknown.map((name) => `"${name}"`).join(', ') : 'nothing'}; known are: ${[...known].join(', ')}`,
    )
  }
  return {
    services: app.services.filter((service) => only.includes(service.name)),
    gateway: only.includes('gateway'),
    console: only.includes('console'),
    apart: true,
  }
}

/** Imports an application from its file. Throws RUNTIME_APP_INVALID when there is none. */
export async function loadApp(path: string): Promise<App> {
  const file = isAbsolute(path) ? path : resolve(path)
  const module = (await importFile(file)) as { default?: Partial<App> }
  const value = module.default
  if (typeof value?.name !== 'string' || !Array.isArray(value.services)) {
    throw runtimeError(
      'RUNTIME_APP_INVALID',
      `${path} has no application as its default export: it needs export default app("name", { … })`,
    )
  }
  return value as App
}

async function importFile(file: string): Promise<unknown> {
  if (!(await isFile(file))) {
    throw runtimeError('RUNTIME_APP_INVALID', `there is no file ${file}: name one that exports an application`)
  }
  try {
    return await import(pathToFileURL(file).href)
  } catch (error) {
    const place = placeIn(error)
    const why = `${place === undefined ? '' : `${place}: `}${messageOf(error)}`
    throw runtimeError('RUNTIME_APP_INVALID', `${file} does not load: ${why}`, { cause: error })
  }
}

/** What `error.stack` begins with when a file cannot be read as code or linked: `file:line`, before the message. */
const HEAD = /^((?:file:\/\/|\/|[A-Za-z]:\\).+):(\d+)$/
/** A call on the stack: `    at name (file:line:column)`, or without a name and parentheses. */
const CALL = /^ {4}at (?:.*[ (])?((?:file:\/\/|\/|[A-Za-z]:\\)[^()]+):(\d+):\d+\)?$/
/** The platform's source, in whose place a user has nothing to mend. */
const PLATFORM = fileURLToPath(new URL('../', import.meta.url))

/** `file:line` of the application that an error leads to; undefined when its stack names none of its files. */
function placeIn(error: unknown): string | undefined {
  const lines = error instanceof Error ? (error.stack ?? '').split('\n') : []
  for (const [index, line] of lines.entries()) {
    const [, where, number] = (index === 0 ? HEAD : CALL).exec(line) ?? []
    if (where === undefined) continue
    const file = where.startsWith('file:') ? fileURLToPath(where) : where
    if (!file.startsWith(PLATFORM) && !/[\\/]node_modules[\\/]/.test(file)) return `${file}:${number}`
  }
  return undefined
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw error
  }
}
