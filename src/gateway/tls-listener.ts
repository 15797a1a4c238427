import type { Socket } from 'node:net'
import { createServer, type SecureContext, type Server, type TLSSocket } from 'node:tls'
import type { KeyPairs } from './certificates.ts'
import { TLS_HANDSHAKE_MS } from './limits.ts'
import { Listeners } from './listeners.ts'

export type TlsListenerOptions = {
  /** The certificate for the name that a client asks for. */
  readonly contextFor: (name: string) => SecureContext
  /** Whether one more connection may be had. */
  readonly admits: (socket: Socket) => boolean
  readonly onHttp1: (socket: TLSSocket) => void
  readonly onHttp2: (socket: TLSSocket) => void
}

/** The gateway's TLS port: shakes hands, and hands each connection to the protocol that both sides chose by ALPN. */
export class TlsListener {
  readonly #server: Server
  readonly #listeners: Listeners
  #unnamed: KeyPairs | undefined
  readonly #sockets = new Set<Socket>()

  constructor({ contextFor, admits, onHttp1, onHttp2 }: TlsListenerOptions) {
    this.#server = createServer({
      ALPNProtocols: ['h2', 'http/1.1'],
      SNICallback: (name, done) => done(null, contextFor(name)),
      handshakeTimeout: TLS_HANDSHAKE_MS,
      allowHalfOpen: true,
      noDelay: true,
    })
    this.#server.on('connection', (socket: Socket) => {
      if (!admits(socket)) return void socket.destroy()
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    this.#server.on('secureConnection', (socket) => (socket.alpnProtocol === 'h2' ? onHttp2 : onHttp1)(socket))
    // A client that cannot agree with us, or is no TLS client at all: nothing to say to it.
    this.#server.on('tlsClientError', (_error, socket) => void socket.destroy())
    this.#listeners = new Listeners(this.#server)
  }

  /** The certificate for clients that ask for no name, from the next handshake on. */
  showUnnamed(certificate: KeyPairs): void {
    if (certificate === this.#unnamed) return
    this.#unnamed = certificate
    this.#server.setSecureContext(certificate)
  }

  listen(address: { readonly host: string; readonly port: number }): Promise<number> {
    return this.#listeners.listen(address)
  }

  /** Accepts no more, and resolves when every connection has ended. */
  close(): Promise<void> {
    return this.#listeners.close()
  }

  /** Cuts off what is still open. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}
