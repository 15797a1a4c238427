import type { IncomingHttpHeaders } from 'node:http'
import { BlockList, isIPv6, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { BagItem } from '../core/index.ts'

/** Who is at the other end of a connection. Worked out once per connection. */
export type Peer = BagItem & {
  readonly socket: Socket
  readonly ip: string
  readonly trusted: boolean
  /** Of a TLS connection, the name that the client asked for, empty for none; undefined without TLS. */
  readonly serverName: string | undefined
  /** Of an HTTP/1 connection: a request was refused, and what follows on it may not be what it seems. */
  refused: boolean
  /** What it had sent when its last request was over: the next one's head is read before it is known. */
  receivedBytes: number
  /** Of an HTTP/1 connection: requests that are not over, and since when there have been none. */
  underWay: number
  idleSinceMs: number
}

const MAPPED_IPV4 = '::ffff:'

/**
 * Peers by socket, where some (`trusted`, addresses or CIDR blocks) may speak for others by `X-Forwarded-*` and
 * `X-Real-IP`.
 */
export class Peers {
  readonly #trusted: BlockList | undefined
  readonly #bySocket = new WeakMap<Socket, Peer>()

  constructor(trusted: readonly string[]) {
    this.#trusted = trusted.length === 0 ? undefined : blockList(trusted)
  }

  of(socket: Socket): Peer {
    const known = this.#bySocket.get(socket)
    if (known !== undefined) return known
    const address = socket.remoteAddress
    if (address === undefined) return peerOf(socket, { ip: '', trusted: false, serverName: undefined })
    const ip = withoutMapping(address)
    const trusted = this.#trusted?.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4') === true
    const serverName = socket instanceof TLSSocket ? nameOf(socket) : undefined
    const peer = peerOf(socket, { ip, trusted, serverName })
    this.#bySocket.set(socket, peer)
    return peer
  }
}

function peerOf(socket: Socket, known: Pick<Peer, 'ip' | 'trusted' | 'serverName'>): Peer {
  return { ...known, socket, refused: false, receivedBytes: 0, underWay: 0, idleSinceMs: 0, bagIndex: -1 }
}

/** The address of the client: the peer's, or what a trusted peer says it is. */
export function clientIpOf(peer: Peer, headers: IncomingHttpHeaders): string {
  const said = peer.trusted ? headers['x-real-ip'] : undefined
  return typeof said === 'string' && said !== '' ? withoutMapping(said) : peer.ip
}

function nameOf({ servername }: TLSSocket & { servername?: string | false | null }): string {
  return servername ? servername.toLowerCase() : ''
}

function withoutMapping(address: string): string {
  return address.startsWith(MAPPED_IPV4) && address.includes('.') ? address.slice(MAPPED_IPV4.length) : address
}

export function blockList(entries: readonly string[]): BlockList {
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/')
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return list
}
