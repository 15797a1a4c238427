import { type ClientRequest, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { connect, isIP } from 'node:net'
import { bracketed } from '../config/target-name.ts'
import type { ActiveChecks, UpstreamEntity } from '../config/upstream-entities.ts'
import type { Address } from './address.ts'
import { checkByGrpc } from './grpc-check.ts'
import type { AttemptResult, CheckResult } from './health-counters.ts'

/** What a check found: a status, which the upstream's lists judge, or the judgement. */
export type ProbeResult = AttemptResult | CheckResult

export type ProberOptions = {
  readonly addresses: () => readonly Address[]
  readonly found: (address: Address, result: ProbeResult) => void
}

/** A check under way. Destroyed, it may still find something, which is for nobody. */
type Probe = { destroy(): void }

/**
 * Active health checks of one upstream: two rounds, one over the healthy addresses and one over the others, each with
 * its interval. A round begins its interval after the one before has ended, and has `concurrency` checks under way at
 * most.
 */
export class Prober {
  readonly #options: ProberOptions
  #upstream: UpstreamEntity | undefined
  #timers: NodeJS.Timeout[] = []
  /** Grows when the rounds begin anew: a round of before ends without a successor. */
  #era = 0
  readonly #pending = new Set<Probe>()

  constructor(options: ProberOptions) {
    this.#options = options
  }

  /** Checks as this upstream says; goes on as it is when its checks are the same. */
  follow(upstream: UpstreamEntity): void {
    const isSame = JSON.stringify(this.#checks()) === JSON.stringify(upstream.healthchecks.active)
    this.#upstream = upstream
    if (isSame) return
    this.#cancel()
    const { healthy, unhealthy } = upstream.healthchecks.active
    this.#schedule(true, healthy.interval)
    this.#schedule(false, unhealthy.interval)
  }

  /** Leaves no timer and no connection behind. */
  stop(): void {
    this.#cancel()
    for (const probe of this.#pending) probe.destroy()
  }

  #checks(): ActiveChecks | undefined {
    return this.#upstream?.healthchecks.active
  }

  #cancel(): void {
    this.#era += 1
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers = []
  }

  #schedule(healthy: boolean, intervalSeconds: number): void {
    const era = this.#era
    if (intervalSeconds === 0) return
    const timer = setTimeout(async () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
      await this.#round(healthy, era)
      if (era === this.#era) this.#schedule(healthy, intervalSeconds)
    }, intervalSeconds * 1_000)
    this.#timers.push(timer)
  }

  /** Never rejects. */
  async #round(healthy: boolean, era: number): Promise<void> {
    const checks = this.#checks()
    if (checks === undefined) return
    const queue = this.#options.addresses().filter((address) => address.health.healthy === healthy)
    const work = async () => {
      for (let address = queue.pop(); address !== undefined && era === this.#era; address = queue.pop()) {
        const result = await this.#probe(address, checks)
        if (era === this.#era) this.#options.found(address, result)
      }
    }
    await Promise.all(Array.from({ length: Math.min(checks.concurrency, queue.length) }, work))
  }

  /** Never rejects: a check that cannot be sent at all, such as one with a header that HTTP cannot say, fails. */
  #probe(address: Address, checks: ActiveChecks): Promise<ProbeResult> {
    return new Promise((resolve) => {
      let probe: Probe | undefined
      const found = (result: ProbeResult) => {
        clearTimeout(timer)
        if (probe !== undefined) {
          this.#pending.delete(probe)
          probe.destroy()
        }
        resolve(result)
      }
      const timer = setTimeout(() => found('timeout'), checks.timeout * 1_000)
      try {
        probe = this.#begin(address, checks, found)
        this.#pending.add(probe)
      } catch {
        found('tcp-failure') // Node refuses to write it; the operator sees an unhealthy target, others their gateway.
      }
    })
  }

  /** `found` is called at least once, and never before this returns. */
  #begin(address: Address, checks: ActiveChecks, found: (result: ProbeResult) => void): Probe {
    switch (checks.type) {
      case 'tcp':
        return connect(endpointOf(address))
          .once('connect', () => found('success'))
          .on('error', () => found('tcp-failure'))
          .once('close', () => found('tcp-failure'))
      case 'http':
      case 'https':
        return this.#request(address, checks)
          .once('response', (response) => found({ status: response.statusCode ?? 0 }))
          .on('error', () => found('tcp-failure'))
          .once('close', () => found('tcp-failure'))
      case 'grpc':
      case 'grpcs':
        return this.#call(address, checks, found)
    }
  }

  #request(address: Address, checks: ActiveChecks): ClientRequest {
    const { authority, serverName } = this.#identityOf(address, checks)
    const options = {
      ...endpointOf(address),
      path: checks.http_path,
      agent: false,
      headers: { host: authority, ...plainHeaders(checks.headers) },
    }
    const request =
      checks.type === 'http'
        ? requestHttp(options)
        : requestHttps({
            ...options,
            rejectUnauthorized: checks.https_verify_certificate,
            ...(serverName !== undefined && { servername: serverName }),
          })
    return request.end()
  }

  #call(address: Address, checks: ActiveChecks, found: (result: CheckResult) => void): Probe {
    const { host, port } = endpointOf(address)
    return checkByGrpc({
      ...this.#identityOf(address, checks),
      origin: `${checks.type === 'grpcs' ? 'https' : 'http'}://${bracketed(host)}:${port}`,
      // There is no field for it in Kong: the path is the nearest.
      service: checks.http_path.slice(1),
      metadata: plainHeaders(checks.headers),
      verify: checks.https_verify_certificate,
      timeoutMs: checks.timeout * 1_000,
      found,
    })
  }

  /** By what name an address is asked; by TLS only where there is one. */
  #identityOf({ place }: Address, { https_sni }: ActiveChecks) {
    const host = this.#upstream?.host_header ?? place.host
    const serverName = https_sni ?? host
    return {
      authority: `${bracketed(host)}:${place.port}`,
      serverName: isIP(serverName) === 0 ? serverName : undefined,
    }
  }
}

function endpointOf({ place }: Address): { readonly host: string; readonly port: number } {
  if (place.origin === undefined) return { host: place.ip, port: place.port }
  const { hostname, port, protocol } = new URL(place.origin)
  const usualPort = protocol === 'https:' ? 443 : 80
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? usualPort : Number(port) }
}

function plainHeaders(headers: ActiveChecks['headers']): Record<string, string[]> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, values]) => [name, [...values]]))
}
