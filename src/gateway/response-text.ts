import { type OutgoingHttpHeader, STATUS_CODES } from 'node:http'
import { systemClock } from '../core/index.ts'
import { fieldName, NOT_FIELD_VALUE } from './http1/field-name.ts'

/** The head of a response as it goes out, its status in words, and how many bytes of body it announces. */
export type ResponseText = { readonly text: string; readonly reason: string; readonly contentLength: number }

/**
 * The head of a response on a connection that stays open, with all that Node would add, byte for byte as Node writes it
 * (a test compares). Node checks each name anew with every response, which is most of what a head costs. Undefined for
 * what is not plain, and for what Node refuses: then Node has to do it. `reason` is that of the status, or empty.
 * `pairs` are names and values in turn.
 */
export function responseText(
  status: number,
  reason: string,
  pairs: readonly OutgoingHttpHeader[],
): ResponseText | undefined {
  const begin = BEGINS.get(status)
  if (begin === undefined || (reason && reason !== begin.reason)) return undefined
  let { text } = begin
  let contentLength: number | undefined
  let hasDate = false
  for (let index = 0; index < pairs.length; index += 2) {
    const name = pairs[index]
    const value = pairs[index + 1]
    const field = typeof name === 'string' ? fieldName(name) : undefined
    if (field === undefined || typeof value !== 'string' || NOT_FIELD_VALUE.test(value)) return undefined
    switch (field.key) {
      case 'content-length':
        contentLength = Number(value)
        break
      case 'date':
        hasDate = true
        break
      case 'connection':
      case 'content-disposition':
      case 'expect':
      case 'trailer':
      case 'transfer-encoding':
        return undefined
    }
    text += field.prefix + value
  }
  if (contentLength === undefined) return undefined
  return { text: text + (hasDate ? '' : dateLine()) + CONNECTION_LINE, reason: begin.reason, contentLength }
}

/** Of statuses that are final, and whose answers have a body. */
const BEGINS = new Map(
  Object.entries(STATUS_CODES)
    .map(([digits, reason = '']) => [Number(digits), { reason, text: `HTTP/1.1 ${digits} ${reason}` }] as const)
    .filter(([status]) => status >= 200 && status !== 204 && status !== 304),
)

const CONNECTION_LINE = '\r\nConnection: keep-alive\r\n\r\n'

let secondMs = 0
let line = ''

function dateLine(): string {
  const nowMs = systemClock.now()
  if (nowMs - secondMs >= 1_000 || nowMs < secondMs) {
    secondMs = nowMs - (nowMs % 1_000)
    line = `\r\nDate: ${new Date(secondMs).toUTCString()}`
  }
  return line
}
