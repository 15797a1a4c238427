import { connect as connectTcp, type Socket, type TcpNetConnectOpts } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { UPSTREAM_PROBE_MS, UPSTREAM_READ_BYTES } from '../limits.ts'
import { tlsOptionsOf, type UpstreamTls } from '../upstream-tls.ts'
import { callTimedOut } from './call.ts'

/** Where connections go, and how. */
export type Endpoint = {
  /** `http://host:port` or `https://host:port`. */
  readonly origin: string
  readonly connectTimeoutMs: number
  /** Of HTTPS: the name that the certificate must have. */
  readonly serverName: string | undefined
  /** Of HTTPS: whom to believe, and what to show. */
  readonly tls: UpstreamTls
}

export type Connecting = {
  readonly onConnect: (socket: Socket) => void
  readonly onError: (error: Error) => void
  /** Bytes that came, until the next ones do; false to be given no more. */
  readonly onBytes: (bytes: Buffer) => boolean
  /** Of a connection that may leave HTTP: it must be one that can be handed on. */
  readonly isStream: boolean
  /** Of earlier connections to the same place, so that TLS need not begin anew. */
  readonly session?: Buffer | undefined
  readonly onSession: (session: Buffer) => void
}

/** Opens a connection. Exactly one of `onConnect` and `onError` is called. */
export function openConnection(endpoint: Endpoint, connecting: Connecting): Socket {
  const { protocol, hostname, port } = new URL(endpoint.origin)
  const isTls = protocol === 'https:'
  const to: TcpNetConnectOpts = {
    // An address of IPv6 is in brackets in a URL, and nowhere else.
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || (isTls ? 443 : 80),
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: UPSTREAM_PROBE_MS,
  }
  const socket = isTls ? connectTls(tlsOptions(to, endpoint, connecting)) : connectPlain(to, connecting)
  if (isTls) socket.on('session', connecting.onSession)
  if (isTls || connecting.isStream) socket.on('data', connecting.onBytes)
  const settle = (event: 'connect' | Error) => {
    clearTimeout(timer)
    socket.off('error', settle).off('close', lost)
    if (event === 'connect') connecting.onConnect(socket)
    else {
      socket.on('error', () => socket.destroy())
      socket.destroy()
      connecting.onError(event)
    }
  }
  const lost = () => settle(Object.assign(new Error('the connection was closed at once'), { code: 'ECONNRESET' }))
  const timer = setTimeout(() => settle(callTimedOut('connect')), endpoint.connectTimeoutMs)
  socket.once(isTls ? 'secureConnect' : 'connect', () => settle('connect'))
  socket.on('error', settle).on('close', lost)
  return socket
}

/**
 * What all connections of this thread are read into. The system fills it when there is something to read, and what came
 * is looked at before anything else is read: one buffer is enough for any number of connections.
 */
const READ_BUFFER = Buffer.allocUnsafeSlow(UPSTREAM_READ_BYTES)

function connectPlain(to: TcpNetConnectOpts, { isStream, onBytes }: Connecting): Socket {
  if (isStream) return connectTcp(to)
  const callback = (length: number) => onBytes(READ_BUFFER.subarray(0, length))
  return connectTcp({ ...to, onread: { buffer: READ_BUFFER, callback } })
}

function tlsOptions(to: TcpNetConnectOpts, endpoint: Endpoint, connecting: Connecting): ConnectionOptions {
  const { session } = connecting
  return {
    ...to,
    ...tlsOptionsOf(endpoint),
    ALPNProtocols: ['http/1.1'],
    ...(session === undefined ? {} : { session }),
  }
}
