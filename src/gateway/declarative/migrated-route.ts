type Values = Readonly<Record<string, unknown>>

/** Characters of a plain path; one with any other was a regular expression before format 3.0. */
const PLAIN_PATH = /^[a-zA-Z0-9._~/%-]*$/

/**
 * A route of a file of format 1.1 or 2.1, as one of 3.0 says it.
 * Source: Kong 3.9, `kong/db/migrations/migrate_path_280_300.lua`.
 */
export function migratedRoute(values: Values): Values {
  if (!Array.isArray(values.paths)) return values
  const paths = values.paths.map((path: unknown) =>
    typeof path === 'string' && path.startsWith('/') && !PLAIN_PATH.test(path) ? `~${path}` : path,
  )
  return { ...values, paths }
}
