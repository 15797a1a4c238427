import { readFileSync } from 'node:fs'
import type { BaseOptions } from '@platformatic/kafka'
import { messageOf } from '../../core/index.ts'
import { eventsError } from '../errors.ts'

/** How clients reach a Kafka, for @platformatic/kafka. */
export type KafkaAddress = Pick<BaseOptions, 'bootstrapBrokers' | 'tls' | 'sasl'> & {
  /** For people, without the password. */
  readonly label: string
}

const DEFAULT_PORT = '9092'
const MECHANISMS = { plain: 'PLAIN', 'scram-sha-256': 'SCRAM-SHA-256', 'scram-sha-512': 'SCRAM-SHA-512' } as const
const URL_PARTS = /^kafka(?<tls>\+ssl)?:\/\/(?:(?<login>[^@/?]*)@)?(?<hosts>[^@/?]+)\/?(?:\?(?<query>.*))?$/
const HOST = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/

/**
 * Reads `kafka[+ssl]://[user:password@]host[:port][,host[:port]…][?ssl&ca=FILE&mechanism=NAME]`. Port 9092 where none
 * is given; `ssl` says the same as `+ssl`; `ca` is a file of certificates to trust instead of those of the system;
 * `mechanism` is plain, scram-sha-256 or scram-sha-512, plain when there is a user. User and password are
 * percent-encoded. Throws EVENTS_BROKER_URL_INVALID.
 */
export function parseKafkaUrl(url: string): KafkaAddress {
  const { tls, login, hosts = '', query = '' } = URL_PARTS.exec(url)?.groups ?? {}
  const brokers = hosts.split(',').map(brokerOf)
  const options = new URLSearchParams(query)
  const unknown = [...options.keys()].filter((name) => !['ssl', 'ca', 'mechanism'].includes(name))
  if (unknown.length > 0) throw invalid(`?${unknown[0]} is no option: ssl, ca and mechanism are`)
  const ca = options.get('ca')
  const encrypted = tls !== undefined || options.has('ssl') || ca !== null
  return {
    label: `Kafka at ${brokers.join(',')}`,
    bootstrapBrokers: brokers,
    ...(encrypted ? { tls: ca === null ? {} : { ca: certificatesIn(ca) } } : {}),
    ...(login === undefined ? {} : { sasl: saslOf(login, options.get('mechanism') ?? 'plain') }),
  }
}

function brokerOf(text: string): string {
  const [, host, port = DEFAULT_PORT] = HOST.exec(text) ?? []
  if (host === undefined) throw invalid('it must be kafka://host:9092,…')
  return `${host}:${port}`
}

function saslOf(login: string, mechanism: string): NonNullable<KafkaAddress['sasl']> {
  if (!(mechanism in MECHANISMS)) {
    throw invalid(`mechanism "${mechanism}" is none of ${Object.keys(MECHANISMS).join(', ')}`)
  }
  const [username = '', password] = login.split(':').map(decodeURIComponent)
  if (password === undefined) throw invalid('it names a user without a password')
  return { mechanism: MECHANISMS[mechanism as keyof typeof MECHANISMS], username, password }
}

function certificatesIn(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw invalid(`the file of its ca cannot be read: ${messageOf(cause)}`, cause)
  }
}

function invalid(why: string, cause?: unknown) {
  return eventsError('EVENTS_BROKER_URL_INVALID', `the URL of Kafka is not valid: ${why}`, { cause })
}
