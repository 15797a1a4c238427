import { isAbsolute, resolve } from 'node:path'
import type { App, ServiceDeclaration } from '../core/index.ts'
import { runtimeError } from './errors.ts'
import { importFile } from './import-file.ts'

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
  const module = await importFile(file, {
    what: 'an application',
    refuse: (message, options) => runtimeError('RUNTIME_APP_INVALID', message, options),
  })
  const value = module.default as Partial<App> | undefined
  if (typeof value?.name !== 'string' || !Array.isArray(value.services)) {
    throw runtimeError(
      'RUNTIME_APP_INVALID',
      `${path} has no application as its default export: it needs export default app("name", { … })`,
    )
  }
  return value as App
}
