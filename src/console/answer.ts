import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import { GroundswellError } from '../core/index.ts'

/** Bodies below this, in bytes, fit a packet or two: packing them gains nothing. */
const GZIP_BYTES_MIN = 1_400

const pack = promisify(gzip)

export type Exchange = { readonly request: IncomingMessage; readonly response: ServerResponse }

/** Whether the client reads gzip. */
export function acceptsGzip(request: IncomingMessage): boolean {
  return /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(String(request.headers['accept-encoding'] ?? ''))
}

/** Answers with JSON that nobody keeps: the next second it is different. */
export async function answerJson({ request, response }: Exchange, value: unknown, status = 200): Promise<void> {
  const text = JSON.stringify(value) ?? 'null'
  const isPacked = text.length >= GZIP_BYTES_MIN && acceptsGzip(request)
  // The fastest level: the connection is this machine's, or a tunnel to it.
  const body = isPacked ? await pack(text, { level: constants.Z_BEST_SPEED }) : Buffer.from(text)
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': body.length,
    'cache-control': 'no-store',
    vary: 'accept-encoding',
    ...(isPacked ? { 'content-encoding': 'gzip' } : {}),
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** Answers with a problem (RFC 9457). What is no operating error is told by its status only. */
export function answerProblem(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const known = error instanceof GroundswellError ? error : undefined
  const status = known?.status ?? 500
  const detail = known?.message ?? 'the console failed to answer'
  const code = known?.code ?? 'CONSOLE_INTERNAL'
  response.writeHead(status, {
    'content-type': 'application/problem+json; charset=utf-8',
    'cache-control': 'no-store',
    ...(status === 405 ? { allow: String(known?.details.allow ?? 'GET, HEAD') } : {}),
    ...(status === 503 ? { 'retry-after': '1' } : {}),
  })
  response.end(JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail, code }))
}
