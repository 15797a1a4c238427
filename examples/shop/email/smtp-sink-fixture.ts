import { createServer, type Socket } from 'node:net'

/**
 * A mail server that keeps what it is given, for tests. Speaks as much of SMTP (RFC 5321) as a client without
 * extensions uses: EHLO, MAIL, RCPT, DATA, RSET, NOOP, QUIT.
 */
export type SmtpSink = {
  readonly url: string
  /** Letters that were accepted, in order. */
  readonly accepted: readonly Mail[]
  /** Letters whose connection was cut instead of an answer: the sender cannot know what became of them. */
  readonly dropped: readonly Mail[]
  /** Cuts the connection of the next letters instead of answering. */
  dropNext(count: number): void
  stop(): Promise<void>
}

export type Mail = { readonly messageId: string; readonly to: string; readonly subject: string }

export async function startSmtpSink(): Promise<SmtpSink> {
  const accepted: Mail[] = []
  const dropped: Mail[] = []
  const sockets = new Set<Socket>()
  let toDrop = 0
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    // A client that goes away without a word is no concern of the sink.
    socket.on('error', () => socket.destroy())
    converse(socket, (text) => {
      const isDropped = toDrop > 0
      if (isDropped) toDrop -= 1
      const kept = isDropped ? dropped : accepted
      kept.push(mailOf(text))
      return isDropped ? 'drop' : 'accept'
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    url: `smtp://127.0.0.1:${port}`,
    accepted,
    dropped,
    dropNext: (count) => {
      toDrop = count
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const END_OF_LETTER = '\r\n.\r\n'

/** greeted ─EHLO, MAIL, RCPT…→ greeted ─DATA→ reading the letter ─its end→ greeted, or cut off */
function converse(socket: Socket, receive: (letter: string) => 'accept' | 'drop'): void {
  let text = ''
  let inLetter = false
  socket.setEncoding('latin1')
  socket.write('220 sink.example\r\n')
  socket.on('data', (chunk) => {
    text += chunk
    for (;;) {
      const end = text.indexOf(inLetter ? END_OF_LETTER : '\r\n')
      if (end < 0) return
      const part = text.slice(0, end)
      text = text.slice(end + (inLetter ? END_OF_LETTER.length : 2))
      if (inLetter && receive(part) === 'drop') return void socket.destroy()
      const command = inLetter ? '' : part.slice(0, 4).toUpperCase()
      inLetter = command === 'DATA'
      socket.write(`${ANSWERS[command] ?? '250 ok'}\r\n`)
      if (command === 'QUIT') return void socket.end()
    }
  })
}

const ANSWERS: Readonly<Record<string, string>> = { DATA: '354 go on', QUIT: '221 bye' }

function mailOf(letter: string): Mail {
  const header = (name: string) => new RegExp(`^${name}: *(.*?)\\r?$`, 'im').exec(letter)?.[1] ?? ''
  return { messageId: header('message-id'), to: header('to'), subject: header('subject') }
}
