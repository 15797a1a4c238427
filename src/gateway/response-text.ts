import type { OutgoingHttpHeader } from 'node:http'
import { systemClock } from '../core/index.ts'
import { fieldName, NOT_FIELD_VALUE } from './http1/field-name.ts'

/** The head of a response as it goes out, and how many bytes of body it announces. */
export type ResponseText = { readonly text: string; readonly contentLength: number }

/**
 * The head of a response on a connection that stays open, with all that Node would add, byte for byte as Node writes it
 * (a test compares). Node checks each name anew with every response, which is most of what a head costs. Undefined for
 * what is not plain, and for what Node refuses: then Node has to do it. `pairs` are names and values in turn.
 */
export function responseText(statusLine: string, pairs: readonly OutgoingHttpHeader[]): ResponseText | undefined {
  let text = statusLine
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
    text += `${field.prefix}${value}\r\n`
  }
  if (contentLength === undefined) return undefined
  return { text: `${text}${hasDate ? '' : dateLine()}Connection: keep-alive\r\n\r\n`, contentLength }
}

let secondMs = 0
let line = ''

function dateLine(): string {
  const nowMs = systemClock.now()
  if (nowMs - secondMs >= 1_000 || nowMs < secondMs) {
    secondMs = nowMs - (nowMs % 1_000)
    line = `Date: ${new Date(secondMs).toUTCString()}\r\n`
  }
  return line
}
