import type { ServiceEntity } from '../config/entities.ts'
import { bracketed } from '../config/target-name.ts'
import { type RemoteDestination, remoteDestination } from '../remote-destination.ts'
import { schemeOf } from '../upstream.ts'
import type { UpstreamTls } from '../upstream-tls.ts'
import type { Address } from './address.ts'
import type { Balancer } from './balancer.ts'

const USUAL_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443, grpc: 80, grpcs: 443 }

/** A service whose host names an upstream: each request goes to one of the upstream's addresses. */
export class BalancedDestination {
  readonly kind = 'balanced'
  readonly balancer: Balancer
  readonly #service: ServiceEntity
  readonly #tls: UpstreamTls
  readonly #remotes = new WeakMap<Address, RemoteDestination>()

  constructor(service: ServiceEntity, balancer: Balancer, tls: UpstreamTls) {
    this.#service = service
    this.#tls = tls
    this.balancer = balancer
  }

  get retries(): number {
    return this.#service.retries
  }

  /** How the service is reached at an address that is not in this process. */
  at(address: Address): RemoteDestination {
    const known = this.#remotes.get(address)
    if (known !== undefined) return known
    const { host, ip, port, origin } = address.place
    const at = origin ?? `${schemeOf(this.#service)}://${bracketed(ip)}:${port}`
    const remote = remoteDestination(this.#service, at, {
      tls: this.#tls,
      host: this.balancer.upstream.host_header ?? host,
    })
    this.#remotes.set(address, remote)
    return remote
  }

  /** What the Host header says at an address. */
  hostAt({ place: { host, port } }: Address): string {
    const { host_header } = this.balancer.upstream
    if (host_header !== null) return host_header
    return port === USUAL_PORTS[this.#service.protocol] ? bracketed(host) : `${bracketed(host)}:${port}`
  }

  /** How the service is reached at each of its addresses now. */
  remotes(): readonly RemoteDestination[] {
    const elsewhere = this.balancer.addresses().filter(({ place }) => place.local === undefined)
    return elsewhere.map((address) => this.at(address))
  }
}
