import type { TargetStatus, UpstreamHealth } from '../balancer/balancers.ts'
import { notFound } from '../config/api-error.ts'
import type { ConfigStore, Entity } from '../config/entities.ts'
import { PAGE_SIZE_MAX } from '../config/limits.ts'
import { formatTarget } from '../config/target-name.ts'
import { isUuid } from '../config/values.ts'
import { type Answer, type Call, type Endpoint, noContent, ok, type Verb } from './answer.ts'
import type { Resources } from './resources.ts'

export type UpstreamEndpointsOptions = {
  readonly store: ConfigStore
  readonly resources: Resources
  /** What the gateway of this process knows of targets. */
  readonly health: UpstreamHealth
  readonly nodeId: string
}

/** A target that there is none of, for the generic endpoints to answer as they do. */
const NOBODY = '00000000-0000-0000-0000-000000000000'

/**
 * What upstreams and targets have beyond the endpoints of every kind: targets by `host:port`, the health of targets,
 * and their being declared healthy or not. Undefined for paths that are none of these.
 */
export function upstreamsAt(segments: readonly string[], options: UpstreamEndpointsOptions): Endpoint | undefined {
  const [kind, upstream = '', inner, target = '', ...rest] = segments
  if (kind !== 'upstreams' || inner === undefined) return undefined
  const endpoints = new UpstreamEndpoints(options, upstream)
  if (inner === 'health' && target === '') return { GET: (call) => endpoints.health(call) }
  if (inner !== 'targets' || target === '') return undefined
  if (target === 'all' && rest.length === 0) return options.resources.at(['upstreams', upstream, 'targets'])
  if (rest.length === 0) return endpoints.target(target)
  const word = rest.at(-1)
  if (rest.length > 2 || (word !== 'healthy' && word !== 'unhealthy')) return undefined
  const address = rest.length === 2 ? rest[0] : undefined
  return { PUT: () => endpoints.declare(target, address, word === 'healthy') }
}

class UpstreamEndpoints {
  readonly #options: UpstreamEndpointsOptions
  /** Id or name. */
  readonly #upstream: string

  constructor(options: UpstreamEndpointsOptions, upstream: string) {
    this.#options = options
    this.#upstream = upstream
  }

  /** `/upstreams/{upstream}/targets/{id or host:port}`. PUT only changes what is there, as deck expects. */
  target(key: string): Endpoint {
    const forward = (verb: Verb) => async (call: Call) => {
      const id = isUuid(key) ? key : await this.#idOf(key)
      const endpoint = this.#options.resources.at(['upstreams', this.#upstream, 'targets', id ?? NOBODY])
      const answer = endpoint?.[verb]
      if (answer === undefined) throw notFound()
      return answer(call)
    }
    return { GET: forward('GET'), PUT: forward('PATCH'), PATCH: forward('PATCH'), DELETE: forward('DELETE') }
  }

  /** `/upstreams/{upstream}/health`: of each target, or with `balancer_health=1` of the upstream. */
  async health({ query }: Call): Promise<Answer> {
    const { health, nodeId } = this.#options
    const { id } = await this.#find()
    const state = health.of(String(id))
    if (query.get('balancer_health') === '1') {
      const verdict = state?.isChecked ? healthWord(state.isHealthy) : 'HEALTHCHECKS_OFF'
      const details = { healthy: state?.isHealthy === true, weight: state?.weight ?? NO_WEIGHT }
      return ok({ data: { id, health: verdict, balancer_health: verdict, details }, next: null, node_id: nodeId })
    }
    const targets = await this.#targets(String(id))
    const known = new Map(state?.targets.map((target) => [target.name, target]))
    const data = targets.map((target) => {
      const status = known.get(String(target.target))
      return { ...target, health: healthOf(status, state?.isChecked === true), data: status && shown(status) }
    })
    return ok({ data, next: null, node_id: nodeId })
  }

  /** Takes effect on this node, and answers before anything else is asked of it. */
  async declare(key: string, address: string | undefined, healthy: boolean): Promise<Answer> {
    const { health, store } = this.#options
    const { id: upstreamId } = await this.#find()
    const id = isUuid(key) ? key : await this.#idOf(key)
    const target = id && (await store.get('targets', { field: 'id', value: id }))
    if (!target) throw notFound()
    const place = { upstreamId: String(upstreamId), target: String(target.target), address }
    if (!health.set(place, healthy)) throw notFound()
    return noContent
  }

  /** The id of the target that is written as `host:port`. */
  async #idOf(key: string): Promise<string | undefined> {
    const { id } = await this.#find()
    const name = formatTarget(key)
    const found = (await this.#targets(String(id))).find((target) => target.target === name)
    return found && String(found.id)
  }

  async #targets(upstreamId: string): Promise<readonly Entity[]> {
    const parent = { field: 'upstream', id: upstreamId }
    const targets: Entity[] = []
    for (let after: string | undefined, more = true; more; more = after !== undefined) {
      const page = await this.#options.store.page('targets', { size: PAGE_SIZE_MAX, after, parent })
      targets.push(...page.entities)
      after = page.next
    }
    return targets
  }

  async #find(): Promise<Entity> {
    const field = isUuid(this.#upstream) ? 'id' : 'name'
    if (this.#upstream.includes('\0')) throw notFound()
    const upstream = await this.#options.store.get('upstreams', { field, value: this.#upstream })
    if (upstream === undefined) throw notFound()
    return upstream
  }
}

const NO_WEIGHT = { total: 0, available: 0, unavailable: 0 }

const healthWord = (healthy: boolean) => (healthy ? 'HEALTHY' : 'UNHEALTHY')

/**
 * Kong's word: healthy when one address is, and DNS_ERROR when there is none. Without checks only what an operator
 * declared to be out is told apart.
 */
function healthOf(status: TargetStatus | undefined, isChecked: boolean): string {
  if (status === undefined || status.addresses.length === 0) return 'DNS_ERROR'
  const isHealthy = status.addresses.some((address) => address.isHealthy)
  return isHealthy && !isChecked ? 'HEALTHCHECKS_OFF' : healthWord(isHealthy)
}

function shown({ addresses, host, nodeWeight, port, problem, weight }: TargetStatus) {
  return {
    host,
    port,
    nodeWeight,
    weight,
    addresses: addresses.map(({ breaker, inFlight, ip, isHealthy, port, weight }) => ({
      ip,
      port,
      weight,
      health: healthWord(isHealthy),
      requests_in_flight: inFlight,
      ...(breaker !== undefined && { circuit_breaker: breaker }),
    })),
    ...(problem !== undefined && { dns_error: problem }),
  }
}
