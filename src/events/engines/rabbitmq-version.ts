import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { delay } from '../../core/index.ts'
import { eventsError } from '../errors.ts'
import { BROKER_CONNECT_MS } from '../limits.ts'
import type { RabbitMqAddress } from './rabbitmq-address.ts'
import { brokerError } from './rabbitmq-connection.ts'

/** What a client says first: AMQP 0-9-1. */
const PROTOCOL_HEADER = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1])

/** Bytes of the server's first frame are fewer than this: its name, version, and what it can do. */
const GREETING_BYTES_MAX = 16_384

/** Dead letters that are not lost on their way came with 3.10. */
const OLDEST = { major: 3, minor: 10 }

/**
 * Throws EVENTS_BROKER_UNSUPPORTED when what answers at the address is no RabbitMQ of 3.10 or newer. The driver keeps
 * the server's greeting to itself, so this asks for one: a connection that ends before anybody has logged in.
 */
export async function assertVersion({ hosts, tls }: RabbitMqAddress): Promise<void> {
  const greeting = await firstAnswer(hosts.map((host) => () => greetingOf(host, tls)))
  const [product, version] = [propertyOf(greeting, 'product'), propertyOf(greeting, 'version')]
  if (product === 'RabbitMQ' && isNewEnough(version)) return
  const what = product === '' ? 'something that does not speak AMQP 0-9-1' : `${product} ${version}`
  throw eventsError('EVENTS_BROKER_UNSUPPORTED', `EVENTS_URL names ${what}; needed is RabbitMQ 3.10 or newer`)
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)
}

/** Of several nodes, the first that answers; the last one's error when none does. */
async function firstAnswer<T>([ask, ...others]: readonly (() => Promise<T>)[]): Promise<T> {
  if (ask === undefined) throw new Error('an address has a host')
  if (others.length === 0) return ask()
  return ask().catch(() => firstAnswer(others))
}

/** What the server sends before a login: one frame, whose last byte is 0xCE. */
async function greetingOf(
  { hostname: host, port }: RabbitMqAddress['hosts'][number],
  tls: RabbitMqAddress['tls'],
): Promise<Buffer> {
  const socket: Socket = tls === undefined ? connect({ host, port }) : connectTls({ host, port, ...tls })
  const impatience = new AbortController()
  const late = delay(BROKER_CONNECT_MS, impatience.signal).then(() => socket.destroy(new Error('it does not answer')))
  try {
    socket.write(PROTOCOL_HEADER)
    const chunks: Buffer[] = []
    for await (const chunk of socket) {
      chunks.push(chunk as Buffer)
      const bytes = Buffer.concat(chunks)
      if (bytes.at(-1) === 0xce || bytes.length > GREETING_BYTES_MAX) return bytes
    }
    return Buffer.concat(chunks)
  } catch (error) {
    throw brokerError(error)
  } finally {
    impatience.abort()
    await late
    socket.destroy()
  }
}

/** The text of a server's property: its name after a byte of length, 'S', four bytes of length, the text. */
function propertyOf(greeting: Buffer, name: string): string {
  const head = Buffer.concat([Buffer.from([name.length]), Buffer.from(`${name}S`)])
  const at = greeting.indexOf(head)
  if (at < 0 || at + head.length + 4 > greeting.length) return ''
  const start = at + head.length + 4
  return greeting.toString('utf8', start, start + greeting.readUInt32BE(start - 4))
}
