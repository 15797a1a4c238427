import { readFileSync } from 'node:fs'
import { messageOf } from '../../core/index.ts'
import { eventsError } from '../errors.ts'

export type RabbitMqAddress = {
  readonly hosts: readonly { readonly hostname: string; readonly port: number }[]
  readonly username: string
  readonly password: string
  readonly vhost: string
  /** Undefined without TLS; `ca` are certificates to trust instead of those of the system. */
  readonly tls: { readonly ca?: string } | undefined
}

const PORTS = { amqp: '5672', amqps: '5671' } as const
const URL_PARTS =
  /^(?<scheme>amqps?):\/\/(?:(?<login>[^@/?]*)@)?(?<hosts>[^@/?]+)(?:\/(?<vhost>[^/?]*))?(?:\?(?<query>.*))?$/
const HOST = /^([A-Za-z0-9._-]+)(?::(\d{1,5}))?$/

/**
 * Reads `amqp[s]://[user:password@]host[:port][,host[:port]…][/vhost][?ca=FILE]`: nodes of one cluster, tried in turn;
 * `amqps` is TLS. User, password and vhost are percent-encoded, and RabbitMQ's own where left out: guest, guest and /.
 * Throws EVENTS_BROKER_URL_INVALID.
 */
export function parseRabbitMqUrl(url: string): RabbitMqAddress {
  const parts = URL_PARTS.exec(url)?.groups
  if (parts === undefined) throw invalid('it must be amqp://user:password@host:5672/vhost')
  const { scheme, login = 'guest:guest', hosts = '', vhost = '', query = '' } = parts
  const [username = '', password] = login.split(':').map(decoded)
  if (password === undefined) throw invalid('it names a user without a password')
  const options = new URLSearchParams(query)
  const unknown = [...options.keys()].find((name) => name !== 'ca')
  if (unknown !== undefined) throw invalid(`?${unknown} is no option: ca is`)
  const ca = options.get('ca')
  if (ca !== null && scheme !== 'amqps') throw invalid('?ca is for amqps://')
  const port = PORTS[scheme as keyof typeof PORTS]
  return {
    hosts: hosts.split(',').map((host) => hostOf(host, port)),
    username,
    password,
    vhost: vhost === '' ? '/' : decoded(vhost),
    tls: scheme === 'amqps' ? (ca === null ? {} : { ca: certificatesIn(ca) }) : undefined,
  }
}

function hostOf(text: string, defaultPort: string): { readonly hostname: string; readonly port: number } {
  const [, hostname, port = defaultPort] = HOST.exec(text) ?? []
  if (hostname === undefined) throw invalid(`"${text}" is no host:port`)
  return { hostname, port: Number(port) }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw invalid('its user, password or vhost is not percent-encoded', cause)
  }
}

function certificatesIn(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw invalid(`the file of its ca cannot be read: ${messageOf(cause)}`, cause)
  }
}

function invalid(why: string, cause?: unknown) {
  return eventsError('EVENTS_BROKER_URL_INVALID', `EVENTS_URL is no address of RabbitMQ: ${why}`, { cause })
}
