import { isRecord } from '../config/values.ts'
import type { Conversion, Settings } from './apisix-plugins.ts'

/**
 * `canary` and APISIX' `traffic-split`: a list of rules, the first that matches divides the request by weights, and a
 * weight without an upstream is for where the route leads anyway. It divides by turns, and knows no time.
 * Source: APISIX 3.11, `docs/en/latest/plugins/traffic-split.md`.
 */
export const trafficSplit: Conversion = { apisix: 'traffic-split', toApisix, toKong }

function toApisix(config: Settings): ReturnType<Conversion['toApisix']> {
  const { percentage, upstream_host, upstream_port, upstream_uri, hash, canary_by_header_name: header } = config
  // A canary that grows, that goes by groups, or whose host is that of its service, is not to be said there.
  if (typeof percentage !== 'number' || typeof upstream_host !== 'string') return { config: undefined }
  const steps = Number(config.steps ?? 1_000)
  const parts = Math.round((percentage / 100) * steps)
  const upstream = { type: 'roundrobin', nodes: { [`${upstream_host}:${String(upstream_port ?? 80)}`]: 1 } }
  const byHeader = (value: string, weighted_upstreams: readonly Settings[]) => ({
    match: [{ vars: [[variableOf(String(header)), '==', value]] }],
    weighted_upstreams,
  })
  const wishes =
    typeof header === 'string'
      ? [byHeader('always', [{ upstream, weight: 1 }]), byHeader('never', [{ weight: 1 }])]
      : []
  const weighted_upstreams = [{ upstream, weight: parts }, { weight: steps - parts }]
  return {
    config: { rules: [...wishes, { weighted_upstreams }] },
    omitted: [
      ...(hash === 'none' ? [] : [`the hash ${String(hash)}: it divides by turns`]),
      ...(upstream_uri === null || upstream_uri === undefined ? [] : ['its upstream_uri']),
      ...(config.upstream_fallback === true ? ['its upstream_fallback'] : []),
    ],
  }
}

/** What is written above, and a single rule for all requests with one other upstream of one node. */
function toKong({ rules }: Settings): ReturnType<Conversion['toKong']> {
  const all = (Array.isArray(rules) ? rules : []).filter(isRecord)
  const split = all.find((rule) => rule.match === undefined)
  const place = split && placeOf(split.weighted_upstreams)
  if (place === undefined) return { config: undefined }
  const others = all.filter((rule) => rule !== split)
  const headers = new Set(others.map(headerOf))
  const [header] = headers
  const isWish = others.length === 2 && headers.size === 1 && header !== undefined
  return {
    config: { hash: 'none', ...place, ...(isWish && { canary_by_header_name: header }) },
    omitted: isWish ? [] : others.map((rule) => `the rule for ${JSON.stringify(rule.match)}`),
  }
}

function placeOf(weighted: unknown): Settings | undefined {
  const list = (Array.isArray(weighted) ? weighted : []).filter(isRecord)
  const [other, ...more] = list.filter(({ upstream }) => isRecord(upstream))
  const upstream = other?.upstream
  const nodes = Object.keys(isRecord(upstream) && isRecord(upstream.nodes) ? upstream.nodes : {})
  const [, host, port] = /^(.+):(\d+)$/.exec(nodes[0] ?? '') ?? []
  if (more.length > 0 || nodes.length !== 1 || host === undefined) return undefined
  const total = list.reduce((sum, { weight }) => sum + Number(weight ?? 1), 0)
  const percentage = total === 0 ? 0 : (Number(other?.weight ?? 1) / total) * 100
  return { percentage, upstream_host: host, upstream_port: Number(port) }
}

/** The header by whose value `always` or `never` a rule is chosen. */
function headerOf({ match }: Settings): string | undefined {
  const [first] = Array.isArray(match) ? match : []
  const [condition] = isRecord(first) && Array.isArray(first.vars) ? first.vars : []
  const [variable, operator, value] = Array.isArray(condition) ? condition : []
  const name = /^http_(.+)$/.exec(String(variable))?.[1]?.replaceAll('_', '-')
  return operator === '==' && (value === 'always' || value === 'never') ? name : undefined
}

const variableOf = (header: string) => `http_${header.toLowerCase().replaceAll('-', '_')}`
