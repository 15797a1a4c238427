import { isIP } from 'node:net'
import { messageOf } from '../../core/index.ts'
import { parseTarget } from '../config/target-name.ts'
import type { TargetEntity } from '../config/upstream-entities.ts'
import type { Upstream } from '../upstream.ts'
import { Address, type AddressPlace } from './address.ts'
import { DNS_RETRY_MS } from './limits.ts'
import { boundedTtl, type ResolveName } from './names.ts'

export type AddressBookOptions = {
  /** Where a host that is a service of the application runs. */
  readonly resolve: (place: { readonly host: string }) => Upstream | undefined
  readonly resolveName: ResolveName
  /** The addresses, or a target's error, are other than before. */
  readonly changed: () => void
}

/** One target, and the addresses it has now. */
export type TargetEntry = {
  readonly name: string
  readonly host: string
  readonly port: number
  weight: number
  addresses: readonly Address[]
  /** Why its name has no addresses; undefined when it has, or is being asked for the first time. */
  problem: string | undefined
  /** Settles when the name has been asked for the first time. */
  firstAnswer: Promise<void> | undefined
  timer: NodeJS.Timeout | undefined
  isGone: boolean
}

/**
 * The addresses of an upstream's targets. A target's host is looked for among the services of the application, then
 * read as an address, then resolved as a name, again and again: each time when the answer is no longer good. A name
 * that cannot be resolved keeps the addresses it had. What goes on at an address is kept while the address is there.
 */
export class AddressBook {
  readonly #options: AddressBookOptions
  readonly #entries = new Map<string, TargetEntry>()

  constructor(options: AddressBookOptions) {
    this.#options = options
  }

  get entries(): Iterable<TargetEntry> {
    return this.#entries.values()
  }

  entry(name: string): TargetEntry | undefined {
    return this.#entries.get(name)
  }

  addresses(): readonly Address[] {
    return [...this.#entries.values()].flatMap((entry) => entry.addresses)
  }

  /** Settles when every name has been asked for once; undefined when that is so already. */
  whenResolved(): Promise<unknown> | undefined {
    const pending = [...this.#entries.values()].flatMap(({ firstAnswer }) => firstAnswer ?? [])
    return pending.length === 0 ? undefined : Promise.all(pending)
  }

  /** Puts these targets in the place of those before. */
  update(targets: readonly TargetEntity[]): void {
    const names = new Set(targets.map(({ target }) => target))
    for (const [name, entry] of this.#entries) if (!names.has(name)) this.#forget(name, entry)
    for (const { target, weight } of targets) {
      const entry = this.#entries.get(target) ?? this.#enter(target, weight)
      entry.weight = weight
      for (const address of entry.addresses) address.weight = weight
    }
  }

  stop(): void {
    for (const [name, entry] of this.#entries) this.#forget(name, entry)
  }

  #enter(name: string, weight: number): TargetEntry {
    const { host, port } = parseTarget(name) ?? { host: name, port: 0 }
    const entry: TargetEntry = {
      name,
      host,
      port,
      weight,
      addresses: [],
      problem: undefined,
      firstAnswer: undefined,
      timer: undefined,
      isGone: false,
    }
    this.#entries.set(name, entry)
    const place = this.#knownPlace(entry)
    if (place !== undefined) entry.addresses = [new Address(place, weight)]
    else entry.firstAnswer = this.#ask(entry)
    return entry
  }

  /** Of a target that needs no resolving. */
  #knownPlace({ name, host, port }: TargetEntry): AddressPlace | undefined {
    const place = { target: name, host, port, ip: host }
    const upstream = this.#options.resolve({ host })
    if (upstream?.kind === 'local') return { ...place, local: upstream }
    if (upstream?.kind === 'remote') return { ...place, origin: upstream.origin }
    return isIP(host) > 0 ? place : undefined
  }

  /** Never rejects. */
  async #ask(entry: TargetEntry): Promise<void> {
    let pauseMs = DNS_RETRY_MS
    try {
      const { ips, ttlMs } = await this.#options.resolveName(entry.host)
      if (ips.length === 0) throw new Error('it has no addresses')
      pauseMs = boundedTtl(ttlMs)
      if (!entry.isGone) this.#learn(entry, ips)
    } catch (error) {
      if (!entry.isGone) this.#fail(entry, error)
    }
    entry.firstAnswer = undefined
    if (!entry.isGone) entry.timer = setTimeout(() => void this.#ask(entry), pauseMs)
  }

  #learn(entry: TargetEntry, ips: readonly string[]): void {
    const known = new Map(entry.addresses.map((address) => [address.place.ip, address]))
    const isSame = entry.problem === undefined && ips.length === known.size && ips.every((ip) => known.has(ip))
    if (isSame) return
    const { name, host, port, weight } = entry
    entry.problem = undefined
    entry.addresses = ips.map((ip) => known.get(ip) ?? new Address({ target: name, host, port, ip }, weight))
    this.#options.changed()
  }

  #fail(entry: TargetEntry, error: unknown): void {
    const isNews = entry.problem === undefined
    entry.problem = messageOf(error)
    if (isNews) this.#options.changed()
  }

  #forget(name: string, entry: TargetEntry): void {
    entry.isGone = true
    clearTimeout(entry.timer)
    this.#entries.delete(name)
  }
}
