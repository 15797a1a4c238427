import { type ClientRequest, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { connect, isIP, Socket } from 'node:net'
import { bracketed } from '../config/target-name.ts'
import type { ActiveChecks, UpstreamEntity } from '../config/upstream-entities.ts'
import type { Address } from './address.ts'
import type { AttemptResult, CheckResult } from './health-counters.ts'

/** What a check found: a status, which the upstream's lists judge, or the judgement. */
export type ProbeResult = AttemptResult | CheckResult

export type ProberOptions = {
  readonly addresses: () => readonly Address[]
  readonly found: (address: Address, result: ProbeResult) => void
}

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
  readonly #pending = new Set<ClientRequest | Socket>()

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
  async #probe(address: Address, checks: ActiveChecks): Promise<ProbeResult> {
    try {
      const probe = checks.type === 'tcp' ? connect(endpointOf(address)) : this.#request(address, checks)
      return await this.#outcomeOf(probe, checks)
    } catch {
      return 'tcp-failure' // Node refuses to write it; the operator sees an unhealthy target, others their gateway.
    }
  }

  #outcomeOf(probe: ClientRequest | Socket, checks: ActiveChecks): Promise<ProbeResult> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => end('timeout'), checks.timeout * 1_000)
      const end = (result: ProbeResult) => {
        clearTimeout(timer)
        this.#pending.delete(probe)
        probe.destroy()
        resolve(result)
      }
      this.#pending.add(probe)
      if (probe instanceof Socket) probe.once('connect', () => end('success'))
      else probe.once('response', (response) => end({ status: response.statusCode ?? 0 }))
      probe.on('error', () => end('tcp-failure'))
      probe.once('close', () => end('tcp-failure'))
    })
  }

  #request(address: Address, checks: ActiveChecks): ClientRequest {
    const host = this.#upstream?.host_header ?? address.place.host
    const serverName = checks.https_sni ?? host
    const options = {
      ...endpointOf(address),
      path: checks.http_path,
      agent: false,
      headers: { host: `${bracketed(host)}:${address.place.port}`, ...plainHeaders(checks.headers) },
    }
    const request =
      checks.type === 'http'
        ? requestHttp(options)
        : requestHttps({
            ...options,
            rejectUnauthorized: checks.https_verify_certificate,
            ...(isIP(serverName) === 0 && { servername: serverName }),
          })
    return request.end()
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
