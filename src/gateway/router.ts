import type { IncomingHttpHeaders } from 'node:http'
import { messageOf } from '../core/index.ts'
import type { RouteEntity } from './config/entities.ts'
import { compilePathPattern } from './config/path-pattern.ts'
import {
  type HostPattern,
  hostMatches,
  hostPattern,
  type RequestHost,
  type RouterConnection,
  requestHost,
} from './host.ts'
import { normalisePath } from './path.ts'
import { PrefixTree } from './prefix-tree.ts'

/**
 * Which route a request belongs to, by Kong's rules: a route asks for some of method, host, path and headers, all of
 * them must match, and the most specific route wins.
 *
 * A route becomes one row per host and path of it. Rows are ranked once, so that the first row that matches is the
 * answer. There is a tree for each host and one for all other rows; a tree leaves only rows whose literal path prefix
 * the request has; the rest of a row is checked in order of rank. So a lookup does not slow down with the number of
 * routes, unless thousands of them share host and path, and differ in headers or methods only.
 * Source: Kong 3.9, `kong/router/atc_compat.lua`.
 */
export type Router<Target> = {
  /** The best row for a request with this normalised path, or undefined. */
  match(request: RouterRequest, path: string, connection?: RouterConnection): Row<Target> | undefined
  /** Routes that can never match, with the reason, for people. */
  readonly problems: readonly string[]
}

type RouterRequest = { readonly method?: string | undefined; readonly headers: IncomingHttpHeaders }

export type RouterEntry<Target> = { readonly route: RouteEntity; readonly target: Target }

/** One way to match a route. */
export type Row<Target> = {
  readonly target: Target
  readonly methods: readonly string[] | undefined
  readonly host: HostPattern | undefined
  readonly headers: readonly HeaderPattern[]
  readonly snis: ReadonlySet<string> | undefined
  /** A path prefix, or `undefined` with or without a `regex`. */
  readonly prefix: string | undefined
  readonly regex: RegExp | undefined
  /** What the path must begin with, whatever else it must match. */
  readonly literal: string
  /** The more, the more specific; compared in order. */
  readonly rank: readonly number[]
}

type HeaderPattern = {
  readonly name: string
  readonly values: ReadonlySet<string>
  readonly regexes: readonly RegExp[]
}

const HEADERS_RANKED_MAX = 255

export function compileRouter<Target>(entries: readonly RouterEntry<Target>[]): Router<Target> {
  const problems: string[] = []
  const rows = entries.toSorted(byAge).flatMap((entry) => rowsOf(entry, problems))
  rows.sort(byRank)
  const placed = new Map(rows.map((row, place) => [row, place]))
  const placeOf = (row: Row<Target>) => placed.get(row) ?? 0
  const byHost = Map.groupBy(rows, ({ host }) => (host?.kind === 'exact' ? host.text : undefined))
  const trees = new Map([...byHost].map(([host, rowsOfHost]) => [host, new PrefixTree(rowsOfHost)]))
  const anyHost = trees.get(undefined)
  const usesHosts = rows.some((row) => row.host !== undefined)
  return {
    problems,
    match(request, path, connection) {
      const host = usesHosts ? requestHost(request.headers.host) : undefined
      const asked = { request, path, host, connection }
      const any = firstMatch(anyHost, asked)
      const own = host === undefined ? undefined : firstMatch(trees.get(host.name), asked)
      if (own === undefined || any === undefined) return own ?? any
      return placeOf(own) < placeOf(any) ? own : any
    },
  }
}

/** How much of `path` a row matched: what `strip_path` takes away. */
export function matchedChars<Target>(row: Row<Target>, path: string): number {
  if (row.prefix !== undefined) return row.prefix.length
  return row.regex?.exec(path)?.[0].length ?? 0
}

/** Without TLS there is no name to compare: such a request finds the route, and is then told to use HTTPS. */
function nameMatches(names: ReadonlySet<string>, asked: string | undefined): boolean {
  return asked === undefined || names.has(asked)
}

type Asked = {
  readonly request: RouterRequest
  readonly path: string
  readonly host: RequestHost | undefined
  readonly connection: RouterConnection | undefined
}

function firstMatch<Target>(tree: PrefixTree<Row<Target>> | undefined, asked: Asked): Row<Target> | undefined {
  if (tree === undefined) return undefined
  for (const row of tree.candidates(asked.path)) if (rowMatches(row, asked)) return row
  return undefined
}

function rowMatches<Target>(row: Row<Target>, { request, path, host, connection }: Asked): boolean {
  if (row.host !== undefined && (host === undefined || !hostMatches(row.host, host, connection))) return false
  if (row.snis !== undefined && !nameMatches(row.snis, connection?.serverName)) return false
  if (row.methods !== undefined && !row.methods.includes(request.method ?? '')) return false
  if (row.regex !== undefined && !row.regex.test(path)) return false
  for (const header of row.headers) if (!headerMatches(header, request.headers)) return false
  return true
}

function headerMatches(pattern: HeaderPattern, headers: IncomingHttpHeaders): boolean {
  const given = headers[pattern.name]
  if (given === undefined) return false
  const text = (typeof given === 'string' ? given : given.join(', ')).toLowerCase()
  // Node joins a repeated header with commas: one of its values is enough.
  return (
    valueMatches(pattern, text) || (text.includes(',') && text.split(',').some((one) => valueMatches(pattern, one)))
  )
}

function valueMatches({ values, regexes }: HeaderPattern, text: string): boolean {
  const value = text.trim()
  return values.has(value) || regexes.some((regex) => regex.test(value))
}

function rowsOf<Target>(entry: RouterEntry<Target>, problems: string[]): Row<Target>[] {
  const { route } = entry
  try {
    const hosts = isSet(route.hosts) ? route.hosts : [undefined]
    const paths = isSet(route.paths) ? route.paths : [undefined]
    const headers = Object.entries(route.headers ?? {}).map(headerPattern)
    return hosts.flatMap((host) => paths.map((path) => rowOf(entry, { host, path, headers })))
  } catch (error) {
    problems.push(`route ${route.name ?? route.id} can never match: ${messageOf(error)}`)
    return []
  }
}

type Attributes = {
  readonly host: string | undefined
  readonly path: string | undefined
  readonly headers: readonly HeaderPattern[]
}

function rowOf<Target>({ route, target }: RouterEntry<Target>, { host, path, headers }: Attributes): Row<Target> {
  const source = path?.startsWith('~') ? path.slice(1) : undefined
  const prefix = path !== undefined && source === undefined ? normalisePath(path) : undefined
  const pattern = host === undefined ? undefined : hostPattern(host)
  const kinds = [route.methods, route.hosts, route.paths, route.snis].filter(isSet).length + Math.min(headers.length, 1)
  return {
    target,
    methods: isSet(route.methods) ? route.methods : undefined,
    host: pattern,
    headers,
    snis: isSet(route.snis) ? new Set(route.snis.map((name) => name.toLowerCase())) : undefined,
    prefix,
    regex: source === undefined ? undefined : pathRegex(source),
    literal: source === undefined ? (prefix ?? '') : literalPrefix(source),
    rank: [
      kinds,
      pattern?.kind === 'exact' ? 1 : 0,
      Math.min(headers.length, HEADERS_RANKED_MAX),
      source === undefined ? 0 : 1,
      source === undefined ? 0 : route.regex_priority,
      (source ?? prefix ?? '').length,
    ],
  }
}

function pathRegex(source: string): RegExp {
  const compiled = compilePathPattern(source)
  if (typeof compiled === 'string') throw new Error(compiled)
  return compiled
}

function isSet(list: readonly string[] | null): list is readonly string[] {
  return list !== null && list.length > 0
}

function headerPattern([name, values]: [string, readonly string[]]): HeaderPattern {
  const isRegex = (value: string) => value.startsWith('~*')
  return {
    name: name.toLowerCase(),
    values: new Set(values.filter((value) => !isRegex(value)).map((value) => value.toLowerCase())),
    regexes: values.filter(isRegex).map((value) => new RegExp(value.slice(2), 'i')),
  }
}

const LITERAL = /^(?:[^\\^$.|?*+()[\]{}]|\\[^A-Za-z0-9])/
const OPTIONAL = /^[?*{]/

/** The text that every path matching the expression begins with. */
export function literalPrefix(source: string): string {
  if (source.startsWith('(') || source.includes('|')) return ''
  let rest = source.startsWith('^') ? source.slice(1) : source
  let literal = ''
  for (let match = LITERAL.exec(rest); match !== null; match = LITERAL.exec(rest)) {
    rest = rest.slice(match[0].length)
    if (OPTIONAL.test(rest)) break
    literal += match[0].at(-1)
  }
  return literal
}

function byAge(left: RouterEntry<unknown>, right: RouterEntry<unknown>): number {
  return left.route.created_at - right.route.created_at || (left.route.id < right.route.id ? -1 : 1)
}

/** The sort is stable: of equals, the older route stays in front. */
function byRank(left: Row<unknown>, right: Row<unknown>): number {
  for (let index = 0; index < left.rank.length; index++) {
    const difference = (right.rank[index] ?? 0) - (left.rank[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
