import { connect, createServer, type Socket } from 'node:net'

/** A way to a server on loopback that a test can cut, with whatever is on it. */
export type CutOff = {
  readonly port: number
  /** Breaks all connections at once, and lets new ones through. */
  cut(): void
  /** Holds back what the server says, its connections open, until `resume`, or for good when they are cut. */
  hold(): void
  resume(): void
  /** Breaks all connections, and accepts no others. */
  stop(): Promise<void>
}

export type CutOffOptions = {
  /** Sees what clients send, of all connections as it comes. */
  readonly onClientData?: (chunk: Buffer) => void
}

export async function startCutOff(serverPort: number, { onClientData }: CutOffOptions = {}): Promise<CutOff> {
  const pairs = new Set<{ readonly client: Socket; readonly server: Socket }>()
  let isHeld = false
  const listener = createServer((client) => {
    const pair = { client, server: connect(serverPort, '127.0.0.1') }
    pairs.add(pair)
    if (onClientData !== undefined) client.on('data', onClientData)
    client.pipe(pair.server)
    if (!isHeld) pair.server.pipe(client)
    for (const socket of [client, pair.server]) {
      // The other side learns of an error by the close that follows.
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        pairs.delete(pair)
        client.destroy()
        pair.server.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    for (const { client, server } of pairs) {
      client.destroy()
      server.destroy()
    }
  }
  return {
    port: (listener.address() as { readonly port: number }).port,
    cut,
    hold() {
      isHeld = true
      for (const { client, server } of pairs) server.unpipe(client)
    },
    resume() {
      isHeld = false
      for (const { client, server } of pairs) server.pipe(client)
    },
    async stop() {
      const closed = new Promise((resolve) => listener.close(resolve))
      cut()
      await closed
    },
  }
}
