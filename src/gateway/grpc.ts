import type { IncomingHttpHeaders } from 'node:http'
import type { Exchange, RouteTarget } from './exchange.ts'

/**
 * What the gateway knows of gRPC: it passes calls through as any HTTP/2, and speaks gRPC only where it answers by
 * itself. Source: gRPC over HTTP2, `doc/PROTOCOL-HTTP2.md`; Kong 3.9, `kong/pdk/response.lua`.
 */
const CALL = /^application\/grpc(?:[+;]|$)/i

/** Whether whoever asks expects gRPC as the answer. */
export function isCall({ httpVersionMajor, headers }: { httpVersionMajor: number; headers: IncomingHttpHeaders }) {
  return httpVersionMajor === 2 && CALL.test(headers['content-type'] ?? '')
}

const UNKNOWN = 2
const DEADLINE_EXCEEDED = 4

/** Kong's, and for what it leaves to nginx the nearest. */
const STATUSES = new Map([
  [200, 0],
  [400, 3],
  [401, 16],
  [403, 7],
  [404, 5],
  [409, 6],
  [413, 8],
  [429, 8],
  [499, 1],
  [500, 13],
  [501, 12],
  [502, 14],
  [503, 14],
  [504, DEADLINE_EXCEEDED],
])

/** The status of a call that the gateway ends, as trailers: names and values in turn. */
export function callStatus(httpStatus: number, message: string): string[] {
  const status = STATUSES.get(httpStatus) ?? UNKNOWN
  const text = encodeMessage(message)
  return ['grpc-status', String(status), ...(text === '' ? [] : ['grpc-message', text])]
}

/** The text of a plugin's answer, whose body is JSON with a message. */
export function messageIn(body: string): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown }
    return typeof message === 'string' ? message : ''
  } catch {
    return '' // A body of a plugin's own making: gRPC has no place for it.
  }
}

/** What does not fit between a route for gRPC and a request is answered as Kong answers it; false when all does. */
export function refuseMismatch(exchange: Exchange, { route }: RouteTarget, isSecure: boolean): boolean {
  const { request, headers } = exchange
  if (!CALL.test(headers['content-type'] ?? '')) {
    exchange.exit(415, 'Non-gRPC request matched gRPC route')
  } else if (request.httpVersionMajor !== 2) {
    exchange.exit(426, 'Please use HTTP2 protocol', ['Connection', 'Upgrade', 'Upgrade', 'HTTP/2'])
  } else if (!route.protocols.includes('grpc') && !isSecure) {
    exchange.endCall(200, ['grpc-status', '1', 'grpc-message', 'gRPC request matched gRPCs route'])
  } else {
    return false
  }
  return true
}

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 }

/** The largest delay that a timer takes. */
const TIMER_MS_MAX = 2_147_483_647

/** What the client gives the whole call, in milliseconds; undefined when it says nothing that can be read. */
export function callTimeoutMs(headers: IncomingHttpHeaders): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(String(headers['grpc-timeout'] ?? ''))
  if (match === null) return undefined
  return Math.min(Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? 0), TIMER_MS_MAX)
}

/** Ends a call that is under way when its time is over, whether the answer has begun or not. */
export function limitCall(exchange: Exchange): void {
  if (exchange.headers['grpc-timeout'] === undefined) return
  const timeoutMs = callTimeoutMs(exchange.headers)
  if (timeoutMs === undefined) return
  const leftMs = timeoutMs - (performance.now() - exchange.startedAtMs)
  const timer = setTimeout(() => {
    if (exchange.closed) return
    exchange.breakOff(504, 'The deadline of the call is over')
    exchange.upstreamWork?.abort()
  }, leftMs)
  exchange.response.once('close', () => clearTimeout(timer))
}

/** Printable ASCII stays, all else is escaped as UTF-8 bytes. */
function encodeMessage(message: string): string {
  return message.replace(/[^\x20-\x24\x26-\x7e]/gu, (character) =>
    Buffer.from(character).reduce((text, byte) => `${text}%${byte.toString(16).toUpperCase().padStart(2, '0')}`, ''),
  )
}
