import { facts } from '../../core/index.ts'

/** A reload of the configuration failed: the process goes on with the version it has and tries again. */
export const configReloadFailed = facts<{ readonly version: number; readonly error: unknown }>(
  'gateway.config-reload-failed',
)

/** The Admin API answered 500. */
export const adminRequestFailed = facts<{ readonly method: string; readonly path: string; readonly error: unknown }>(
  'gateway.admin-request-failed',
)

/** The file of a declarative configuration is in force; `notices` is what in it means nothing here. */
export const configFileLoaded = facts<{
  readonly path: string
  readonly entities: number
  readonly notices: readonly string[]
}>('gateway.config-file-loaded')

/** It changed to something that cannot be used: what was in force stays. */
export const configFileRefused = facts<{ readonly path: string; readonly error: unknown }>(
  'gateway.config-file-refused',
)
