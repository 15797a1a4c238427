import type { RouteEntity } from './config/entities.ts'
import { compilePathPattern } from './config/path-pattern.ts'
import type { Exchange } from './exchange.ts'

/** The regular expressions of a route's paths, which the router has tried already; few need them again. */
const patternsOf = new WeakMap<RouteEntity, readonly RegExp[]>()

/** What a group of the route's regular expression found in the path, by its name or its number. */
export function uriCaptureOf({ target, path }: Exchange, name: string): string | undefined {
  if (target === undefined) return undefined
  const patterns = patternsOf.get(target.route) ?? compiledPatterns(target.route)
  patternsOf.set(target.route, patterns)
  for (const pattern of patterns) {
    const match = pattern.exec(path)
    if (match !== null) return match.groups?.[name] ?? (/^\d+$/.test(name) ? match[Number(name)] : undefined)
  }
  return undefined
}

function compiledPatterns({ paths }: RouteEntity): readonly RegExp[] {
  const patterns = (paths ?? []).filter((path) => path.startsWith('~')).map((path) => compilePathPattern(path.slice(1)))
  return patterns.filter((pattern) => pattern instanceof RegExp)
}
