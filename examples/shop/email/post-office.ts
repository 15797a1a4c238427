import { createTransport } from 'nodemailer'
import type { Letter } from './letters.ts'

/** Sends letters by SMTP. */
export type PostOffice = {
  /** `id` becomes the Message-ID: a letter sent again after a crash is recognizable as the same one. */
  send(id: string, letter: Letter): Promise<void>
}

/** Connections to the mail server: mail servers limit them per client. */
const CONNECTIONS_MAX = 4

/** Time without mail after which the connections are closed, so that they do not hold a process that has stopped. */
const IDLE_CLOSE_MS = 2_000

const SENDER = 'Groundswell Shop <orders@shop.example>'

export function openPostOffice(smtpUrl: string): PostOffice {
  const open = () => createTransport({ url: smtpUrl, pool: true, maxConnections: CONNECTIONS_MAX } as object)
  let transport: ReturnType<typeof open> | undefined
  let sending = 0
  let idle: NodeJS.Timeout | undefined
  return {
    async send(id, { to, subject, body }) {
      clearTimeout(idle)
      transport ??= open()
      sending += 1
      try {
        await transport.sendMail({ from: SENDER, to, subject, text: body, messageId: `<${id}@shop.example>` })
      } finally {
        sending -= 1
        if (sending === 0) idle = setTimeout(closeIdle, IDLE_CLOSE_MS).unref()
      }
    },
  }

  function closeIdle(): void {
    transport?.close()
    transport = undefined
  }
}
