import type { CallHandler } from '../http1/call.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import { Http2Pool } from '../http2-pool.ts'
import { codeOf, TIMEOUTS } from '../upstream-failure.ts'
import type { CheckResult } from './health-counters.ts'
import { HEALTH_ANSWER_BYTES_MAX } from './limits.ts'

export type GrpcCheck = {
  /** `http://ip:port` or `https://ip:port`. */
  readonly origin: string
  /** Of the server, as calls have it. */
  readonly authority: string
  /** Whose health is asked for; empty for that of the whole server. */
  readonly service: string
  readonly metadata: Readonly<Record<string, string[]>>
  /** Of TLS: the name that is asked for, and whether the certificate must have it. */
  readonly serverName: string | undefined
  readonly verify: boolean
  readonly timeoutMs: number
  readonly found: (result: CheckResult) => void
}

/**
 * Asks a server by gRPC whether it serves, on a connection of its own. Only `SERVING` is a success; that it knows no
 * such service, or nothing of health at all, is a failure like any other answer. `found` is called once or more often:
 * the first counts. Source: gRPC Health Checking Protocol, `doc/health-checking.md`.
 *
 *     HealthCheckRequest  { string service = 1 }
 *     HealthCheckResponse { ServingStatus status = 1 }   SERVING = 1
 */
export function checkByGrpc(check: GrpcCheck): { destroy(): void } {
  const { origin, authority, service, metadata, serverName, verify, timeoutMs, found } = check
  const tls = { verify, authorities: undefined, depthMax: undefined, client: undefined, key: '' }
  const pool = new Http2Pool({ origin, connectTimeoutMs: timeoutMs, serverName, tls })
  const headers = { ...metadata, host: authority, 'content-type': 'application/grpc', te: 'trailers' }
  const body = framed(requestFor(service))
  const request = { method: 'POST', path: METHOD_PATH, headers, body, upgrades: false, silenceMs: timeoutMs }
  pool.send(request, new HealthAnswer(found))
  return pool
}

const METHOD_PATH = '/grpc.health.v1.Health/Check'

class HealthAnswer implements CallHandler {
  readonly #found: GrpcCheck['found']
  #isGrpc = false
  /** Trailers that came as the head, for an answer without a message. */
  #early: readonly string[] = []
  #message: Buffer = Buffer.alloc(0)

  constructor(found: GrpcCheck['found']) {
    this.#found = found
  }

  onSent(): void {}

  onUnsent(): void {}

  onProgress(): void {}

  onHead({ status, headers }: ResponseHead): void {
    if (status < 200) return
    this.#isGrpc = status === 200 && /^application\/grpc/i.test(valueIn(headers, 'content-type') ?? '')
    this.#early = headers
  }

  onData(data: Buffer): void {
    if (this.#message.length + data.length > HEALTH_ANSWER_BYTES_MAX) this.#found('http-failure')
    else this.#message = Buffer.concat([this.#message, data])
  }

  onEnd(trailers: readonly string[]): void {
    const status = valueIn(trailers, 'grpc-status') ?? valueIn(this.#early, 'grpc-status')
    this.#found(this.#isGrpc && status === '0' && isServing(this.#message) ? 'success' : 'http-failure')
  }

  /** Nobody asked for that. */
  onUpgrade(): void {
    this.#found('http-failure')
  }

  onError(error: Error): void {
    this.#found(TIMEOUTS.has(codeOf(error)) ? 'timeout' : 'tcp-failure')
  }
}

/** In Protocol Buffers: the field's number and kind, the length, the text. What is empty is left out. */
function requestFor(service: string): Buffer {
  const text = Buffer.from(service)
  return text.length === 0 ? text : Buffer.concat([Buffer.from([STRING_1]), varint(text.length), text])
}

/** Seven bits a byte, the lowest first; all but the last have the eighth set. */
function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest])
    bytes.push((rest & 0x7f) | 0x80)
  }
}

/** A message behind a byte that says it is not compressed, and its length. */
function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** The status is the only field, and `SERVING` has one way to be written. */
function isServing(frame: Buffer): boolean {
  return frame.equals(framed(Buffer.from([VARINT_1, SERVING])))
}

const FRAME_HEAD_BYTES = 5
const STRING_1 = 0x0a
const VARINT_1 = 0x08
const SERVING = 1

function valueIn(pairs: readonly string[], name: string): string | undefined {
  const index = pairs.findIndex((text, at) => at % 2 === 0 && text === name)
  return index < 0 ? undefined : pairs[index + 1]
}
