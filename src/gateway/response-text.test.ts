import assert from 'node:assert/strict'
import { IncomingMessage, type OutgoingHttpHeader, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { randomSequence } from '../core/index.ts'
import { GatewayResponse } from './response.ts'
import { responseText } from './response-text.ts'

type Kind = new (request: IncomingMessage) => ServerResponse

const DATE = /Date: .{29}\r\n/
const STATUSES = [99, 100, 200, 200, 201, 204, 299, 304, 404, 500, 1000]
const REASONS = [undefined, undefined, undefined, 'OK', 'Fine', 'bad\nreason', '']
const METHODS = ['GET', 'HEAD', 'POST']

/** The head that a response of this kind makes of a list, or the code of its refusal. */
function headOf(kind: Kind, { list, status, reason, method, minor, closes }: Case): string {
  const request = new IncomingMessage(new Socket())
  Object.assign(request, { httpVersionMajor: 1, httpVersionMinor: minor, method })
  const response = new kind(request)
  response.shouldKeepAlive &&= !closes
  if (reason !== undefined) response.statusMessage = reason
  try {
    response.writeHead(status, [...list])
    const { _header, _contentLength } = response as unknown as Record<string, unknown>
    const { statusCode, statusMessage, headersSent } = response
    const rest = [_contentLength, statusCode, statusMessage, headersSent]
    return `${String(_header).replace(DATE, 'Date\r\n')}${rest.join()}`
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

type Case = {
  readonly list: readonly OutgoingHttpHeader[]
  readonly status: number
  readonly reason: string | undefined
  readonly method: string
  readonly minor: number
  readonly closes: boolean
}

const NAMES = [
  'Content-Type',
  'content-length',
  'Content-Length',
  'Date',
  'Connection',
  'Transfer-Encoding',
  'Keep-Alive',
  'Content-Disposition',
  'Set-Cookie',
  'Trailer',
  'Expect',
  'X-Kong-Request-Id',
  'not a name',
  '',
  'x:y',
]
const VALUES: OutgoingHttpHeader[] = [
  '',
  '0',
  '11',
  11,
  'text/plain; charset=utf-8',
  'chunked',
  'close',
  'keep-alive',
  'a\r\nx: y',
  'a\nb',
  'naïve',
  '\u{1f600}',
  '\x00',
  'tab\tbed',
  '100-continue',
  ['a', 'b'],
  'attachment; filename="naïve"',
]

test('a head is what Node makes of the same list, byte for byte, or is refused as by Node', () => {
  const random = randomSequence(7)
  const below = (count: number) => Math.floor(random() * count)
  const pick = <Item>(items: readonly Item[]) => items[below(items.length)] as Item
  let own = 0
  for (let round = 0; round < 20_000; round++) {
    const list = Array.from({ length: below(5) }, () => [pick(NAMES), pick(VALUES)]).flat()
    // Most lists of several are refused for one of them: the same without what Node refuses or what is not plain.
    if (round % 2 === 0) list.push('Content-Type', 'text/plain', 'Content-Length', '3')
    const tried = {
      list,
      status: pick(STATUSES),
      reason: pick(REASONS),
      method: pick(METHODS),
      minor: below(2),
      closes: below(4) === 0,
    }
    assert.equal(headOf(GatewayResponse, tried), headOf(ServerResponse, tried), JSON.stringify(tried))
    if (responseText(tried.status, tried.reason ?? '', list) !== undefined) own += 1
  }
  assert.ok(own > 500, `${own} heads were not left to Node`)
})

test('a usual answer is not left to Node, which then has nothing to add', () => {
  const pairs = ['content-type', 'text/plain', 'content-length', '2', 'Server', 'kong/3.9.1']
  const made = responseText(200, '', pairs)
  assert.match(String(made?.text), /^HTTP\/1\.1 200 OK\r\ncontent-type: text\/plain\r\ncontent-length: 2\r\nServer/)
  assert.match(String(made?.text), DATE)
  assert.equal(made?.contentLength, 2)
})
