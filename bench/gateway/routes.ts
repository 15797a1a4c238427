import { compileRouter, type RouteEntity } from '../../src/gateway/index.ts'
import { type Spread, spreadOf } from '../command/spread.ts'

export type LookupResult = {
  /** Nanoseconds of one lookup. */
  readonly nanoseconds: Readonly<Record<string, number>>
  /** Many routes by few, each round by itself. */
  readonly ratio: Spread
}

const FEW = 10
const MANY = 10_000
const LOOKUPS = 200_000
const ROUNDS = 15

/**
 * What does a lookup cost among many routes, and among few? Both tables are asked in turn, in the same rounds, for the
 * same number of paths: so the steps of the router are compared, and not how much of a table, and of the bench's own
 * paths, the processor's cache holds.
 */
export function measureLookup(): LookupResult {
  const few = lookups(FEW)
  const many = lookups(MANY)
  few()
  many()
  const rounds = Array.from({ length: ROUNDS }, () => ({ few: few(), many: many() }))
  const median = (values: readonly number[]) => Math.round(spreadOf(values).median)
  const { median: ratio, min, max } = spreadOf(rounds.map((round) => round.many / round.few))
  return {
    nanoseconds: {
      [`${FEW} routes`]: median(rounds.map((round) => round.few)),
      [`${MANY} routes`]: median(rounds.map((round) => round.many)),
    },
    ratio: { median: Number(ratio.toFixed(2)), min: Number(min.toFixed(2)), max: Number(max.toFixed(2)) },
  }
}

/** Nanoseconds of one lookup, averaged over many: of routes that lie apart, each of which must be found. */
function lookups(count: number): () => number {
  const router = compileRouter(Array.from({ length: count }, (_, index) => ({ route: routeAt(index), target: index })))
  const asked = Array.from({ length: FEW }, (_, index) => {
    const target = index * (count / FEW)
    return { target, path: `${pathOf(target)}/items/17` }
  })
  const request = { method: 'GET', headers: { host: 'shop.example' } }
  return () => {
    const startedAtMs = performance.now()
    for (let n = 0; n < LOOKUPS; n += asked.length) {
      for (const { path, target } of asked) {
        if (router.match(request, path)?.target !== target) throw new Error(`${path} got lost`)
      }
    }
    return ((performance.now() - startedAtMs) * 1e6) / LOOKUPS
  }
}

const pathOf = (index: number) => `/api/v${index % 7}/service-${String(index).padStart(5, '0')}`

function routeAt(index: number): RouteEntity {
  return {
    id: String(index),
    name: null,
    created_at: index,
    updated_at: index,
    tags: null,
    protocols: ['http', 'https'],
    methods: index % 2 === 0 ? ['GET'] : null,
    hosts: null,
    paths: [pathOf(index)],
    headers: null,
    snis: null,
    sources: null,
    destinations: null,
    https_redirect_status_code: 426,
    regex_priority: 0,
    strip_path: true,
    path_handling: 'v0',
    preserve_host: false,
    request_buffering: true,
    response_buffering: true,
    service: null,
  }
}
